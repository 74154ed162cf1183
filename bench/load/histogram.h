/*
 * A latency histogram with a fixed relative error: values up to 2^SUB_BITS ns are counted one by one, and
 * every further power of two is cut into 2^(SUB_BITS-1) equal parts, so that a value is known to 1/64 (1.6 %).
 * The table never grows, and recording is a shift and an increment.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define SUB_BITS 7
#define HALF (1u << (SUB_BITS - 1))
#define OCTAVES (40 - SUB_BITS) /* 2^40 ns = 18 minutes: longer than any run is allowed to last */

struct histogram {
  uint64_t counts[(OCTAVES + 2) * HALF];
  uint64_t total;
  uint64_t max_ns;
};

void histogram_record(struct histogram *histogram, uint64_t ns);

/* The smallest recorded value that at least `share` (0..1) of all values do not exceed, in ns; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
