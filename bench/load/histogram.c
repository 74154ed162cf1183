#include "histogram.h"

static unsigned slot_of(uint64_t ns) {
  if (ns < 2 * HALF) return (unsigned)ns;
  unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - (SUB_BITS - 1);
  if (shift > OCTAVES) return (OCTAVES + 2) * HALF - 1;
  return shift * HALF + (unsigned)(ns >> shift);
}

/* The largest value that falls into the slot: the honest end of what we know. */
static uint64_t top_of(unsigned slot) {
  if (slot < 2 * HALF) return slot;
  unsigned shift = slot / HALF - 1;
  return ((uint64_t)(slot - shift * HALF + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t ns) {
  histogram->counts[slot_of(ns)]++;
  histogram->total++;
  if (ns > histogram->max_ns) histogram->max_ns = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share) {
  uint64_t wanted = (uint64_t)(share * (double)histogram->total);
  if (wanted < 1) wanted = 1;
  uint64_t seen = 0;
  for (unsigned slot = 0; slot < (OCTAVES + 2) * HALF; slot++) {
    seen += histogram->counts[slot];
    if (seen >= wanted) return top_of(slot) < histogram->max_ns ? top_of(slot) : histogram->max_ns;
  }
  return histogram->max_ns;
}
