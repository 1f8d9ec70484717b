/* The least that the same checks can cost: one thread, one epoll, nothing allocated, nothing judged.
 * loop SECONDS COUNT: every five seconds ICMP, TCP 443, HTTP 80 and DNS to each of COUNT addresses from 10.20.9.2 on. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { TCP, HTTP, DNS };
struct probe { int fd; enum kind kind; int sent; };
static struct probe probes[4096];
static int epoll, open_probes;
static const char request[] = "GET / HTTP/1.1\r\nHost: t.centre.example\r\nConnection: close\r\n\r\n";

static struct sockaddr_in target(int n, int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    at.sin_addr.s_addr = htonl((10u << 24) + (20 << 16) + (9 << 8) + 2 + n);
    return at;
}

static unsigned short checksum(unsigned char *bytes, int length)
{
    unsigned sum = 0;
    for (int i = 0; i < length; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum);
}

static void end(struct probe *probe)
{
    close(probe->fd);
    probe->fd = -1;
    open_probes--;
}

static void begin(int slot, enum kind kind, int n)
{
    struct probe *probe = &probes[slot];
    struct sockaddr_in at = target(n, kind == TCP ? 443 : kind == HTTP ? 80 : 53);
    probe->kind = kind;
    probe->sent = kind != HTTP;
    probe->fd = socket(AF_INET, (kind == DNS ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    open_probes++;
    connect(probe->fd, (void *)&at, sizeof at);
    struct epoll_event event = { .events = kind == DNS ? EPOLLIN : EPOLLOUT, .data.u32 = slot };
    epoll_ctl(epoll, EPOLL_CTL_ADD, probe->fd, &event);
    if (kind == DNS) {
        unsigned char question[64] = { 0x12, 0x34, 1, 0, 0, 1 };
        int length = 12;
        length += sprintf((char *)question + length, "%ct%d", n > 9 ? n > 99 ? 4 : 3 : 2, n);
        memcpy(question + length, "\6centre\7example\0\0\1\0\1", 21);
        send(probe->fd, question, length + 21, 0);
    }
}

static void go_on(struct probe *probe)
{
    char answer[4096];
    if (probe->fd < 0) return;
    if (probe->sent) {
        if (probe->kind != TCP) recv(probe->fd, answer, sizeof answer, 0);
        end(probe);
        return;
    }
    send(probe->fd, request, sizeof request - 1, 0);
    probe->sent = 1;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = probe - probes };
    epoll_ctl(epoll, EPOLL_CTL_MOD, probe->fd, &event);
}

int main(int argc, char **argv)
{
    int seconds = atoi(argv[1]), count = atoi(argv[argc - 1]);
    int raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    struct epoll_event events[64], event = { .events = EPOLLIN, .data.u32 = -1 };
    struct timespec next;
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, raw, &event);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (int round = 0; round * 5 < seconds; round++) {
        int pings = count;
        for (int n = 0; n < count; n++) {
            unsigned char echo[64] = { ICMP_ECHO, 0, 0, 0, 9, 9, 0, round };
            struct sockaddr_in at = target(n, 0);
            unsigned short sum = checksum(echo, sizeof echo);
            memcpy(echo + 2, &sum, 2);
            sendto(raw, echo, sizeof echo, 0, (void *)&at, sizeof at);
            for (int kind = 0; kind < 3; kind++) begin(n * 3 + kind, kind, n);
        }
        while (open_probes || pings) {
            int got = epoll_wait(epoll, events, 64, 2000);
            if (got <= 0) break;
            for (int i = 0; i < got; i++) {
                char packet[256];
                if (events[i].data.u32 != -1u) go_on(&probes[events[i].data.u32]);
                else while (recv(raw, packet, sizeof packet, 0) > 0) if (packet[20] == ICMP_ECHOREPLY) pings--;
            }
        }
        next.tv_sec += 5;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
