/*
 * The emptiest possible broker: it answers every request with code 0 at once, stores nothing and knows no topic.
 * It shows how fast the generator itself can go (`npm run bench -- --ceiling`).
 */
#include "frames.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define ANSWER                                                                                                        \
  "{\"code\":0,\"extFields\":{\"queueId\":\"0\",\"TRACE_ON\":\"true\",\"MSG_REGION\":\"DefaultRegion\","              \
  "\"msgId\":\"7F00000100002A9F0000000000000000\",\"queueOffset\":\"0\"},\"flag\":1,\"language\":\"JAVA\","            \
  "\"opaque\":%07u,\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513}"

static struct {
  uint8_t *in;
  size_t in_size;
} connections[CONNECTIONS_MAX];

static uint8_t out[FRAME_SIZE_MAX];

static size_t write_answer(uint8_t *at, uint32_t opaque) {
  uint32_t size = (uint32_t)snprintf((char *)at + 8, 512, ANSWER, opaque);
  uint32_t words[2] = {htonl(size + 4), htonl(size)};
  memcpy(at, words, 8);
  return size + 8;
}

static void serve(int fd) {
  uint8_t *in = connections[fd].in;
  ssize_t got = recv(fd, in + connections[fd].in_size, FRAME_SIZE_MAX - connections[fd].in_size, 0);
  if (got <= 0) {
    free(in);
    close(fd);
    return;
  }
  size_t size = connections[fd].in_size + (size_t)got, at = 0, out_size = 0;
  struct reply request; /* a request's code and opaque are where an answer's are */
  while (read_reply(in + at, size - at, &request) > 0) {
    at += request.size;
    out_size += write_answer(out + out_size, request.opaque);
  }
  memmove(in, in + at, size - at);
  connections[fd].in_size = size - at;
  for (size_t sent = 0; sent < out_size;) {
    ssize_t written = send(fd, out + sent, out_size - sent, MSG_NOSIGNAL);
    if (written <= 0) return;
    sent += (size_t)written;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), epoll_fd = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0) {
    perror("answer");
    return 1;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd != listener) {
        serve(events[i].data.fd);
        continue;
      }
      int fd = accept(listener, NULL, NULL);
      if (fd < 0 || fd >= CONNECTIONS_MAX) return 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      connections[fd].in = malloc(FRAME_SIZE_MAX);
      connections[fd].in_size = 0;
      struct epoll_event added = {.events = EPOLLIN, .data.fd = fd};
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &added);
    }
  }
}
