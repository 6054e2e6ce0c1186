#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int wsd_notify_socket(char *name, size_t capacity) {
    uint64_t token[2];
    if (getrandom(token, sizeof token, 0) != (ssize_t)sizeof token) return -1;
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    int length = snprintf(name, capacity, "@wsd-notify-%016llx%016llx", (unsigned long long)token[0],
                          (unsigned long long)token[1]);
    if (length < 0 || (size_t)length >= capacity || (size_t)length > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    // An abstract address begins with a zero byte and is as long as it is said to be.
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    int on = 1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    if (setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(descriptor, (struct sockaddr *)&address, size) < 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

ssize_t wsd_receive_notification(int descriptor, void *bytes, size_t capacity, struct wsd_credentials *sender) {
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    // Room for the credentials alone: the kernel closes what does not fit.
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length;
    do {
        length = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
    } while (length < 0 && errno == EINTR);
    if (length < 0) return -1;
    sender->pid = 0;
    sender->uid = (uid_t)-1;
    sender->gid = (gid_t)-1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS &&
        header->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
        struct ucred credentials;
        memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
        sender->pid = credentials.pid;
        sender->uid = credentials.uid;
        sender->gid = credentials.gid;
    }
    return length;
}
