#define _GNU_SOURCE /* memmem */
#include "frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_SEED 0x9E3779B97F4A7C15u

static void write_u32(uint8_t *at, uint32_t value) {
  value = __builtin_bswap32(value);
  memcpy(at, &value, 4);
}

static void write_u64(uint8_t *at, uint64_t value) {
  value = __builtin_bswap64(value);
  memcpy(at, &value, 8);
}

uint32_t read_u32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}

uint64_t read_u64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, 8);
  return __builtin_bswap64(value);
}

static void write_decimal(uint8_t *at, unsigned width, uint64_t value) {
  for (unsigned i = width; i-- > 0; value /= 10) at[i] = (uint8_t)('0' + value % 10);
}

static void write_hex(uint8_t *at, unsigned width, uint64_t value) {
  for (unsigned i = width; i-- > 0; value >>= 4) at[i] = (uint8_t) "0123456789ABCDEF"[value & 15];
}

/* Bytes that neither compress nor repeat, so that no side gains by looking at them. */
static void fill_body(uint8_t *body, size_t size) {
  uint64_t state = BODY_SEED;
  for (size_t i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    body[i] = (uint8_t)(state >> 32);
  }
}

struct send_template make_send_template(const char *topic, unsigned queue_id, size_t body_size) {
  /* UNIQ_KEY: address (8), process (4), class loader (8), then the 12 digits that differ: time and counter. */
  char header[1024];
  int header_size = snprintf(
      header, sizeof header,
      "{\"code\":310,\"extFields\":{\"a\":\"bench_producer\",\"b\":\"%s\",\"c\":\"TBW102\",\"d\":\"4\",\"e\":\"%u\","
      "\"f\":\"0\",\"g\":\"1700000000000\",\"h\":\"0\",\"i\":\"UNIQ_KEY\\u00017F000001%04X1CBE1DBD000000000000"
      "\\u0002WAIT\\u0001true\\u0002TAGS\\u0001TagA\\u0002\",\"j\":\"0\",\"k\":\"false\",\"m\":\"false\","
      "\"n\":\"broker-a\"},\"flag\":0,\"language\":\"JAVA\",\"opaque\":%u,\"serializeTypeCurrentRPC\":\"JSON\","
      "\"version\":513}",
      topic, queue_id, queue_id, OPAQUE_MIN);
  if (header_size < 0 || (size_t)header_size >= sizeof header) abort();

  struct send_template template = {.size = 8 + (size_t)header_size + body_size};
  template.bytes = malloc(template.size);
  if (template.bytes == NULL) abort();
  write_u32(template.bytes, (uint32_t)(template.size - 4));
  write_u32(template.bytes + 4, (uint32_t)header_size);
  memcpy(template.bytes + 8, header, (size_t)header_size);
  template.body_at = 8 + (size_t)header_size;
  fill_body(template.bytes + template.body_at, body_size);
  template.opaque_at = 8 + (size_t)(strstr(header, "\"opaque\":") - header) + 9;
  template.born_at = 8 + (size_t)(strstr(header, "\"g\":\"") - header) + 5;
  template.key_at = 8 + (size_t)(strstr(header, "UNIQ_KEY\\u0001") - header) + 14 + 20;
  return template;
}

void write_send(uint8_t *out, const struct send_template *template, uint32_t opaque, uint64_t born_ms, uint64_t key,
                uint64_t sent_ns) {
  memcpy(out, template->bytes, template->size);
  write_decimal(out + template->opaque_at, 7, opaque);
  write_decimal(out + template->born_at, 13, born_ms);
  write_hex(out + template->key_at, 12, key);
  write_u64(out + template->body_at, key);
  write_u64(out + template->body_at + 8, sent_ns);
}

size_t write_pull(uint8_t *out, const struct pull *pull, uint32_t opaque) {
  /* sysFlag: 1 the offset is to be committed, 2 may be held, 4 the subscription is in this request. */
  int header_size = snprintf(
      (char *)out + 8, PULL_FRAME_SIZE_MAX - 8,
      "{\"code\":11,\"extFields\":{\"queueId\":\"%u\",\"maxMsgBytes\":\"262144\",\"maxMsgNums\":\"%u\","
      "\"sysFlag\":\"%u\",\"commitOffset\":\"%" PRIu64 "\",\"subscription\":\"*\",\"suspendTimeoutMillis\":\"15000\","
      "\"bname\":\"broker-a\",\"topic\":\"%s\",\"queueOffset\":\"%" PRIu64 "\",\"expressionType\":\"TAG\","
      "\"subVersion\":\"0\",\"consumerGroup\":\"bench_consumer_%u\"},\"flag\":0,\"language\":\"JAVA\",\"opaque\":%u,"
      "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513}",
      pull->queue_id, pull->count_max, (pull->offset > 0 ? 1u : 0u) | (pull->wait ? 2u : 0u) | 4u, pull->offset,
      pull->topic, pull->offset, pull->group, opaque);
  if (header_size < 0 || (size_t)header_size >= PULL_FRAME_SIZE_MAX - 8) abort();
  write_u32(out, (uint32_t)header_size + 4);
  write_u32(out + 4, (uint32_t)header_size);
  return (size_t)header_size + 8;
}

/*
 * The number after `name`, which carries its quotes and colon. A quote inside a JSON string is always escaped,
 * so that `"opaque":` can only be a key; extFields hold strings, so that a key of the same name in there is
 * followed by a quote, which the caller includes in `name` when that is what it wants.
 */
static bool find_number(const uint8_t *header, size_t size, const char *name, size_t name_size, int64_t *value) {
  const uint8_t *end = header + size;
  for (const uint8_t *from = header; from < end;) {
    const uint8_t *at = memmem(from, (size_t)(end - from), name, name_size);
    if (at == NULL) return false;
    at += name_size;
    bool negative = at < end && *at == '-';
    if (negative) at++;
    if (at < end && *at >= '0' && *at <= '9') {
      int64_t number = 0;
      for (; at < end && *at >= '0' && *at <= '9'; at++) number = number * 10 + (*at - '0');
      *value = negative ? -number : number;
      return true;
    }
    from = at;
  }
  return false;
}

int read_reply(const uint8_t *bytes, size_t length, struct reply *reply) {
  if (length < 8) return 0;
  uint32_t total = read_u32(bytes);
  uint32_t word = read_u32(bytes + 4);
  uint32_t header_size = word & 0xFFFFFF;
  if (word >> 24 != 0 || total < 4 || total > FRAME_SIZE_MAX - 4 || header_size > total - 4) return -1;
  if (length < (size_t)total + 4) return 0;

  const uint8_t *header = bytes + 8;
  int64_t code, opaque, next_offset;
  if (!find_number(header, header_size, "\"code\":", 7, &code)) return -1;
  if (!find_number(header, header_size, "\"opaque\":", 9, &opaque)) return -1;
  reply->code = (int32_t)code;
  reply->opaque = (uint32_t)opaque;
  reply->body = header + header_size;
  reply->body_size = total - 4 - header_size;
  reply->size = (size_t)total + 4;
  reply->next_offset = -1;
  if (reply->body_size > 0 || code != 0) {
    if (find_number(header, header_size, "\"nextBeginOffset\":\"", 19, &next_offset)) reply->next_offset = next_offset;
  }
  return 1;
}
