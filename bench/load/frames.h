/*
 * RocketMQ remoting frames as the Java client 5.5.0 writes them, and just enough reading of the answers:
 *
 *   | total length i32 | encoding u8 (0 = JSON) | header length u24 | header JSON | body |
 *
 * A send is copied from a template made once per queue; only fields of fixed width change in the copy.
 */
#ifndef LOAD_FRAMES_H
#define LOAD_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opaques have seven digits always, so that a template's length never changes. */
#define OPAQUE_MIN 1000000u
#define OPAQUE_MAX 9999999u

#define FRAME_SIZE_MAX (4u << 20) /* requests and answers; a pull of 32 x 1 KiB is 45 KB */
#define READ_SIZE_MAX (256u << 10) /* taken by one read, so that it is still in the cache when it is looked at */
#define PULL_FRAME_SIZE_MAX 1024u

struct send_template {
  uint8_t *bytes;
  size_t size;
  size_t opaque_at, born_at, key_at, body_at;
};

/* A SEND_MESSAGE_V2 (310) with properties UNIQ_KEY, WAIT and TAGS; `body_size` must be at least 16. */
struct send_template make_send_template(const char *topic, unsigned queue_id, size_t body_size);

/*
 * Copies the template to `out` and fills in what is this message's own: opaque, birth, unique key, and at the
 * body's start the key number and the monotonic time, from which a consumer computes how long it travelled.
 */
void write_send(uint8_t *out, const struct send_template *template, uint32_t opaque, uint64_t born_ms, uint64_t key,
                uint64_t sent_ns);

struct pull {
  const char *topic;
  unsigned group, queue_id;
  uint64_t offset;
  unsigned count_max;
  bool wait; /* let the server hold the request until there is something (long poll, 15 s) */
};

/* A PULL_MESSAGE (11) that also commits its offset, as a push consumer's does; returns the frame's size. */
size_t write_pull(uint8_t *out, const struct pull *pull, uint32_t opaque);

struct reply {
  int32_t code;
  uint32_t opaque;
  int64_t next_offset; /* nextBeginOffset, -1 where there is none */
  const uint8_t *body;
  size_t body_size;
  size_t size; /* of the whole frame */
};

/* >0: a reply was read; 0: more bytes are needed; <0: this is no answer that we understand. */
int read_reply(const uint8_t *bytes, size_t length, struct reply *reply);

uint32_t read_u32(const uint8_t *at);
uint64_t read_u64(const uint8_t *at);

#endif
