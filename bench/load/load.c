/*
 * A neutral load generator for RocketMQ brokers: one thread, epoll, a closed loop.
 *
 * Work is divided into lanes. A lane has exactly one request outstanding and belongs to one connection; it
 * either sends messages or pulls one queue on behalf of one consumer group. What an answer frees is asked
 * again at once, and everything that one read freed leaves in one write. Every answer's code is counted, every
 * pulled record's place in its queue is checked, and the run is bounded in messages and in seconds.
 * The result is one line of JSON on standard output; trouble is one line on standard error and exit code 1.
 */
#include "frames.h"
#include "histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024u
#define LANES_MAX 65536u
#define QUEUES_MAX 1024u
#define CODES_MAX 32u
#define SILENCE_MAX_NS (20ull * 1000000000) /* without any answer for so long, the server is taken for dead */
#define DRAIN_MAX_NS (5ull * 1000000000)    /* consumers get this long to catch up after the last send */
#define RECORD_SIZE_MIN 91u                 /* a record with an empty body, topic and properties */
#define RECORD_QUEUE_OFFSET_AT 20u
#define RECORD_BODY_AT 88u /* with IPv4 hosts */

struct connection {
  int fd;
  uint8_t *in;
  size_t in_size;
  uint8_t *out;
  size_t out_size, out_sent, out_capacity;
  bool awaits_room;
};

enum lane_kind { LANE_SEND, LANE_PULL };

struct lane {
  enum lane_kind kind;
  struct connection *connection;
  uint32_t opaque;
  bool outstanding;
  uint64_t asked_ns;
  unsigned queue_id, group; /* of a pulling lane */
  uint64_t offset;
};

struct options {
  const char *host, *topic, *mode;
  unsigned port, connections, in_flight, pullers, queues, pull_count;
  size_t body_size;
  uint64_t count_max, seconds_max;
};

static struct options options = {.host = "127.0.0.1",
                                 .topic = "bench",
                                 .mode = "send",
                                 .port = 10911,
                                 .connections = 8,
                                 .in_flight = 256,
                                 .queues = 8,
                                 .pull_count = 32,
                                 .body_size = 1024,
                                 .count_max = 100000,
                                 .seconds_max = 10};

static struct connection *connections;
static struct lane *lanes;
static unsigned connection_count, lane_count, send_lane_count, outstanding_count;
static struct send_template *templates;
static size_t send_size;
static int epoll_fd;
static bool mixed;

static uint64_t now_ns, started_ns, deadline_ns, last_answer_ns, last_send_done_ns, born_ms, next_key;
static uint64_t opaque_round, sends_asked, sends_stored, sends_done, pulls_done, records_pulled, bytes_in, bytes_out;
static struct histogram send_latency, pull_latency, delivery_latency;

static struct {
  int32_t code;
  uint64_t count;
} send_codes[CODES_MAX], pull_codes[CODES_MAX];

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void read_clocks(void) {
  now_ns = clock_ns(CLOCK_MONOTONIC);
  born_ms = clock_ns(CLOCK_REALTIME) / 1000000;
}

static void count_code(typeof(send_codes[0]) *codes, int32_t code) {
  for (unsigned i = 0; i < CODES_MAX; i++) {
    if (codes[i].count > 0 && codes[i].code != code) continue;
    codes[i].code = code;
    codes[i].count++;
    return;
  }
  fail("more than %u different answer codes", CODES_MAX);
}

static bool sending_is_over(void) { return sends_asked >= options.count_max || now_ns >= deadline_ns; }

static bool run_is_over(void) {
  if (mixed) {
    if (sends_done < sends_asked || !sending_is_over()) return false;
    return records_pulled >= sends_stored || now_ns - last_send_done_ns > DRAIN_MAX_NS;
  }
  return outstanding_count == 0;
}

/* Writes the lane's next request behind what its connection has yet to send, unless there is no more to ask. */
static void ask(struct lane *lane) {
  struct connection *connection = lane->connection;
  uint8_t *out = connection->out + connection->out_size;
  uint32_t opaque = OPAQUE_MIN + (uint32_t)(opaque_round * lane_count + (uint64_t)(lane - lanes));
  size_t size;
  if (lane->kind == LANE_SEND) {
    if (sending_is_over()) return;
    write_send(out, &templates[sends_asked % options.queues], opaque, born_ms, next_key++, now_ns);
    size = send_size;
    sends_asked++;
  } else {
    if (mixed ? run_is_over() : records_pulled >= options.count_max || now_ns >= deadline_ns) return;
    struct pull pull = {options.topic, lane->group, lane->queue_id, lane->offset, options.pull_count, mixed};
    size = write_pull(out, &pull, opaque);
  }
  if (connection->out_size + size > connection->out_capacity) fail("a connection's output buffer is too small");
  connection->out_size += size;
  bytes_out += size;
  lane->opaque = opaque;
  lane->outstanding = true;
  lane->asked_ns = now_ns;
  outstanding_count++;
}

/* Walks the records of a pull's body: whole records, in the order of their queue, from the offset asked for. */
static uint64_t check_records(const struct lane *lane, const uint8_t *body, size_t body_size) {
  uint64_t count = 0;
  for (size_t at = 0; at < body_size; count++) {
    uint32_t record_size = body_size - at >= 4 ? read_u32(body + at) : 0;
    if (record_size < RECORD_SIZE_MIN || record_size > body_size - at) fail("a pulled body holds half a record");
    uint64_t queue_offset = read_u64(body + at + RECORD_QUEUE_OFFSET_AT);
    if (queue_offset != lane->offset + count) {
      fail("queue %u: record with queue offset %" PRIu64 " where %" PRIu64 " was due", lane->queue_id, queue_offset,
           lane->offset + count);
    }
    if (mixed) {
      uint64_t sent_ns = read_u64(body + at + RECORD_BODY_AT + 8);
      if (sent_ns > now_ns) fail("queue %u: a record from the future", lane->queue_id);
      histogram_record(&delivery_latency, now_ns - sent_ns);
    }
    at += record_size;
  }
  return count;
}

static void take_send(const struct lane *lane, const struct reply *reply) {
  histogram_record(&send_latency, now_ns - lane->asked_ns);
  count_code(send_codes, reply->code);
  sends_done++;
  last_send_done_ns = now_ns;
  /* Flush or replica timeout, no replica: stored, though less safely than asked. */
  if (reply->code == 0 || (reply->code >= 10 && reply->code <= 12)) sends_stored++;
}

static void take_pull(struct lane *lane, const struct reply *reply) {
  count_code(pull_codes, reply->code);
  pulls_done++;
  if (reply->code == 0) {
    if (!mixed) histogram_record(&pull_latency, now_ns - lane->asked_ns);
    uint64_t count = check_records(lane, reply->body, reply->body_size);
    if (reply->next_offset < 0 || (uint64_t)reply->next_offset < lane->offset + count) {
      fail("a pull of %" PRIu64 " records answers with nextBeginOffset %" PRId64, count, reply->next_offset);
    }
    records_pulled += count;
    lane->offset = (uint64_t)reply->next_offset;
  } else if (reply->code >= 19 && reply->code <= 21) {
    /* At the end of the queue: a consumer waits there, a reader begins again. */
    if (mixed && reply->next_offset >= 0) lane->offset = (uint64_t)reply->next_offset;
    if (!mixed) {
      if (lane->offset == 0) fail("queue %u is empty", lane->queue_id);
      lane->offset = 0;
    }
  } else {
    fail("a pull was answered with code %d", reply->code);
  }
}

static void flush_out(struct connection *connection) {
  while (connection->out_sent < connection->out_size) {
    ssize_t written =
        send(connection->fd, connection->out + connection->out_sent, connection->out_size - connection->out_sent, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) fail("write: %s", strerror(errno));
      break;
    }
    connection->out_sent += (size_t)written;
  }
  bool awaits_room = connection->out_sent < connection->out_size;
  if (!awaits_room) {
    connection->out_size = connection->out_sent = 0;
  } else if (connection->out_sent > 0) {
    memmove(connection->out, connection->out + connection->out_sent, connection->out_size - connection->out_sent);
    connection->out_size -= connection->out_sent;
    connection->out_sent = 0;
  }
  if (awaits_room != connection->awaits_room) {
    struct epoll_event event = {.events = EPOLLIN | (awaits_room ? EPOLLOUT : 0u), .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
    connection->awaits_room = awaits_room;
  }
}

static void read_in(struct connection *connection) {
  size_t room = FRAME_SIZE_MAX - connection->in_size;
  ssize_t got = recv(connection->fd, connection->in + connection->in_size, room < READ_SIZE_MAX ? room : READ_SIZE_MAX, 0);
  if (got == 0) fail("the server closed a connection");
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN) return;
    fail("read: %s", strerror(errno));
  }
  read_clocks();
  last_answer_ns = now_ns;
  bytes_in += (uint64_t)got;
  connection->in_size += (size_t)got;

  size_t at = 0;
  struct reply reply;
  for (int result; (result = read_reply(connection->in + at, connection->in_size - at, &reply)) != 0; at += reply.size) {
    if (result < 0) fail("an answer that is no JSON remoting frame");
    struct lane *lane = &lanes[(reply.opaque - OPAQUE_MIN) % lane_count];
    if (!lane->outstanding || lane->opaque != reply.opaque || lane->connection != connection) {
      fail("an answer to opaque %" PRIu32 ", which is not outstanding on its connection", reply.opaque);
    }
    lane->outstanding = false;
    outstanding_count--;
    if (lane->kind == LANE_SEND) {
      take_send(lane, &reply);
    } else {
      take_pull(lane, &reply);
    }
    ask(lane);
  }
  memmove(connection->in, connection->in + at, connection->in_size - at);
  connection->in_size -= at;
}

static void open_connection(struct connection *connection, unsigned lanes_per_connection) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("%s is not an IPv4 address", options.host);
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) fail("socket: %s", strerror(errno));
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
    fail("connect to %s:%u: %s", options.host, options.port, strerror(errno));
  }
  int one = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  size_t request_size = send_size > PULL_FRAME_SIZE_MAX ? send_size : PULL_FRAME_SIZE_MAX;
  connection->out_capacity = (lanes_per_connection + 1) * request_size;
  connection->out = malloc(connection->out_capacity);
  connection->in = malloc(FRAME_SIZE_MAX);
  if (connection->out == NULL || connection->in == NULL) fail("out of memory");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

/* Senders and pullers have connections of their own, as producers and consumers do. */
static void prepare(void) {
  bool sends = strcmp(options.mode, "pull") != 0, pulls = strcmp(options.mode, "send") != 0;
  mixed = sends && pulls;
  if (mixed && strcmp(options.mode, "mixed") != 0) fail("--mode is send, pull or mixed");
  if (options.body_size < 16) fail("--body is at least 16 bytes");
  send_lane_count = sends ? options.in_flight : 0;
  lane_count = send_lane_count + (pulls ? options.pullers : 0);
  connection_count = options.connections * (mixed ? 2 : 1);
  if (lane_count == 0 || lane_count > LANES_MAX || options.queues == 0 || options.queues > QUEUES_MAX ||
      options.connections == 0 || connection_count > CONNECTIONS_MAX) {
    fail("a number of connections, queues, requests in flight or pullers is 0 or beyond its limit");
  }

  connections = calloc(connection_count, sizeof *connections);
  lanes = calloc(lane_count, sizeof *lanes);
  templates = calloc(options.queues, sizeof *templates);
  if (connections == NULL || lanes == NULL || templates == NULL) fail("out of memory");
  for (unsigned queue_id = 0; queue_id < options.queues; queue_id++) {
    templates[queue_id] = make_send_template(options.topic, queue_id, options.body_size);
    if (templates[queue_id].size > send_size) send_size = templates[queue_id].size;
  }
  for (unsigned queue_id = 0; queue_id < options.queues; queue_id++) {
    if (templates[queue_id].size != send_size) fail("--queues has more digits for some queues than for others: use up to 10");
  }
  epoll_fd = epoll_create1(0);
  for (unsigned i = 0; i < connection_count; i++) open_connection(&connections[i], lane_count);
  for (unsigned i = 0; i < lane_count; i++) {
    struct lane *lane = &lanes[i];
    lane->kind = i < send_lane_count ? LANE_SEND : LANE_PULL;
    lane->connection = &connections[i % options.connections];
    if (lane->kind == LANE_PULL) {
      unsigned puller = i - send_lane_count;
      lane->queue_id = puller % options.queues;
      lane->group = puller / options.queues;
      lane->connection = &connections[puller % options.connections + (mixed ? options.connections : 0)];
    }
  }
  if (mixed && options.pullers != options.queues) fail("--mode mixed has one puller for each queue");
}

static void run(void) {
  struct epoll_event events[64];
  read_clocks();
  started_ns = last_answer_ns = last_send_done_ns = now_ns;
  deadline_ns = started_ns + options.seconds_max * 1000000000u;
  next_key = (born_ms % (31ull * 24 * 3600 * 1000)) << 16;
  for (unsigned i = 0; i < lane_count; i++) ask(&lanes[i]);
  for (unsigned i = 0; i < connection_count; i++) flush_out(&connections[i]);
  while (!run_is_over()) {
    /* Opaques differ from round to round, so that an answer given twice is found out. */
    opaque_round = (opaque_round + 1) % ((OPAQUE_MAX - OPAQUE_MIN) / lane_count);
    int ready = epoll_wait(epoll_fd, events, 64, 100);
    if (ready < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      if (events[i].events & ~(uint32_t)EPOLLOUT) read_in(connection);
      flush_out(connection);
    }
    if (ready <= 0) {
      read_clocks();
      if (now_ns - last_answer_ns > SILENCE_MAX_NS) fail("no answer for 20 s with %u requests outstanding", outstanding_count);
    }
  }
}

static void print_codes(const char *name, typeof(send_codes[0]) *codes) {
  printf("\"%s\":{", name);
  for (unsigned i = 0; i < CODES_MAX && codes[i].count > 0; i++) {
    printf("%s\"%" PRId32 "\":%" PRIu64, i == 0 ? "" : ",", codes[i].code, codes[i].count);
  }
  printf("},");
}

static void print_latency(const char *name, const struct histogram *histogram) {
  printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},", name, (double)histogram_quantile(histogram, 0.5) / 1e3,
         (double)histogram_quantile(histogram, 0.99) / 1e3, (double)histogram_quantile(histogram, 0.999) / 1e3,
         (double)histogram->max_ns / 1e3);
}

static void print_result(double own_cpu_seconds) {
  double seconds = (double)(last_answer_ns - started_ns) / 1e9;
  printf("{\"mode\":\"%s\",\"connections\":%u,\"inFlight\":%u,\"bodySize\":%zu,\"seconds\":%.3f,", options.mode,
         options.connections, lane_count, options.body_size, seconds);
  printf("\"sent\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"pulls\":%" PRIu64 ",\"pulled\":%" PRIu64 ",", sends_done,
         sends_stored, pulls_done, records_pulled);
  printf("\"bytesOut\":%" PRIu64 ",\"bytesIn\":%" PRIu64 ",", bytes_out, bytes_in);
  print_codes("sendCodes", send_codes);
  print_codes("pullCodes", pull_codes);
  print_latency("sendMicros", &send_latency);
  print_latency("pullMicros", &pull_latency);
  print_latency("deliveryMicros", &delivery_latency);
  printf("\"ownCpuShare\":%.3f}\n", own_cpu_seconds / seconds);
}

static uint64_t number_of(const char *text, const char *name) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || *text == '-' || value > UINT32_MAX) fail("--%s: %s is no number that fits", name, text);
  return value;
}

static void read_options(int argc, char **argv) {
  static const struct option table[] = {
      {"host", 1, NULL, 'h'},       {"port", 1, NULL, 'p'},      {"mode", 1, NULL, 'm'},    {"connections", 1, NULL, 'c'},
      {"in-flight", 1, NULL, 'i'},  {"pullers", 1, NULL, 'u'},   {"body", 1, NULL, 'b'},    {"count", 1, NULL, 'n'},
      {"seconds", 1, NULL, 's'},    {"topic", 1, NULL, 't'},     {"queues", 1, NULL, 'q'},  {"batch", 1, NULL, 'k'},
      {NULL, 0, NULL, 0}};
  for (int option, index; (option = getopt_long(argc, argv, "", table, &index)) != -1;) {
    switch (option) {
      case 'h': options.host = optarg; break;
      case 'm': options.mode = optarg; break;
      case 't': options.topic = optarg; break;
      case 'p': options.port = (unsigned)number_of(optarg, "port"); break;
      case 'c': options.connections = (unsigned)number_of(optarg, "connections"); break;
      case 'i': options.in_flight = (unsigned)number_of(optarg, "in-flight"); break;
      case 'u': options.pullers = (unsigned)number_of(optarg, "pullers"); break;
      case 'q': options.queues = (unsigned)number_of(optarg, "queues"); break;
      case 'k': options.pull_count = (unsigned)number_of(optarg, "batch"); break;
      case 'b': options.body_size = number_of(optarg, "body"); break;
      case 'n': options.count_max = number_of(optarg, "count"); break;
      case 's': options.seconds_max = number_of(optarg, "seconds"); break;
      default: exit(2);
    }
  }
  if (optind != argc) fail("unexpected argument %s", argv[optind]);
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  prepare();
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  run();
  getrusage(RUSAGE_SELF, &after);
  print_result((double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
               (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6);
  return 0;
}
