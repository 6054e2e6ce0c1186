#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static int close_with_error(int descriptor) {
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

int wsd_peer_credentials(int descriptor, struct wsd_credentials *out) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
    out->pid = credentials.pid;
    out->uid = credentials.uid;
    out->gid = credentials.gid;
    return 0;
}

int wsd_peer_groups(int descriptor, gid_t *groups, int capacity) {
    socklen_t length = (socklen_t)(sizeof(gid_t) * (size_t)capacity);
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0) return -1;
    return (int)(length / sizeof(gid_t));
}

int wsd_listen_tcp(const uint8_t *address, size_t length, uint32_t scope, uint16_t *port, int dual, int backlog) {
    struct sockaddr_storage name;
    socklen_t size;
    memset(&name, 0, sizeof name);
    if (length == 16) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(*port);
        v6->sin6_scope_id = scope;
        memcpy(&v6->sin6_addr, address, 16);
        size = sizeof *v6;
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&name;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(*port);
        memcpy(&v4->sin_addr, address, 4);
        size = sizeof *v4;
    }
    int descriptor = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    int on = 1, v6only = !dual;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return close_with_error(descriptor);
    if (length == 16 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0) {
        return close_with_error(descriptor);
    }
    if (bind(descriptor, (struct sockaddr *)&name, size) < 0) return close_with_error(descriptor);
    // Two sockets with SO_REUSEADDR may be bound to one port until one of them listens.
    if (listen(descriptor, backlog) < 0) return close_with_error(descriptor);
    if (getsockname(descriptor, (struct sockaddr *)&name, &size) < 0) return close_with_error(descriptor);
    *port = ntohs(length == 16 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port);
    return descriptor;
}

static int unix_name(const char *path, struct sockaddr_un *name) {
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof name->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name->sun_path, path);
    return 0;
}

int wsd_listen_unix(const char *path, int backlog) {
    struct sockaddr_un name;
    if (unix_name(path, &name) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    // The file must not be open to others even for a moment; fchmod on the socket does not reach it.
    mode_t mask = umask(0177);
    int result = bind(descriptor, (struct sockaddr *)&name, sizeof name);
    int error = errno;
    umask(mask);
    if (result < 0) {
        errno = error;
        return close_with_error(descriptor);
    }
    if (listen(descriptor, backlog) < 0) {
        close_with_error(descriptor);
        error = errno;
        unlink(path);
        errno = error;
        return -1;
    }
    return descriptor;
}

int wsd_connect_unix(const char *path) {
    struct sockaddr_un name;
    if (unix_name(path, &name) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&name, sizeof name) < 0) return close_with_error(descriptor);
    return descriptor;
}

int wsd_connect_datagram(const char *path) {
    struct sockaddr_un name;
    if (unix_name(path, &name) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&name, sizeof name) < 0) return close_with_error(descriptor);
    return descriptor;
}

static int send_as_memfd(int descriptor, const uint8_t *bytes, size_t length) {
    int file = memfd_create("wsd-datagram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -1;
    for (size_t done = 0; done < length;) {
        ssize_t count = write(file, bytes + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return close_with_error(file);
        done += (size_t)count;
    }
    if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) return close_with_error(file);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &file, sizeof file);
    if (sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return close_with_error(file);
    close(file);
    return 0;
}

int wsd_send_datagram(int descriptor, const void *bytes, size_t length) {
    if (send(descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno != EMSGSIZE && errno != ENOBUFS) return -1;
    return send_as_memfd(descriptor, bytes, length);
}

int wsd_resolve(const char *host, struct wsd_address *out, size_t capacity, size_t *count) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    *count = 0;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error) return error;
    for (struct addrinfo *entry = list; entry && *count < capacity; entry = entry->ai_next) {
        struct wsd_address *address = &out[*count];
        memset(address, 0, sizeof *address);
        if (entry->ai_family == AF_INET) {
            address->length = 4;
            memcpy(address->bytes, &((struct sockaddr_in *)entry->ai_addr)->sin_addr, 4);
        } else if (entry->ai_family == AF_INET6) {
            struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)entry->ai_addr;
            address->length = 16;
            memcpy(address->bytes, &v6->sin6_addr, 16);
            address->scope = v6->sin6_scope_id;
        } else {
            continue;
        }
        ++*count;
    }
    freeaddrinfo(list);
    return 0;
}

int wsd_local_address(int descriptor, struct wsd_local_address *out) {
    // One byte more than the kernel may fill, so that a path of full length is terminated.
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        char bytes[sizeof(struct sockaddr_un) + 1];
    } name;
    socklen_t size = sizeof(struct sockaddr_un);
    memset(&name, 0, sizeof name);
    memset(out, 0, sizeof *out);
    if (getsockname(descriptor, &name.any, &size) < 0) return -1;
    out->family = name.any.sa_family;
    if (out->family == AF_INET) {
        memcpy(out->bytes, &name.v4.sin_addr, 4);
        out->port = ntohs(name.v4.sin_port);
    } else if (out->family == AF_INET6) {
        memcpy(out->bytes, &name.v6.sin6_addr, 16);
        out->port = ntohs(name.v6.sin6_port);
        socklen_t length = sizeof out->v6only;
        if (getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &out->v6only, &length) < 0) return -1;
    } else if (out->family == AF_UNIX) {
        memcpy(out->path, name.local.sun_path, sizeof name.local.sun_path);
    }
    return 0;
}

int wsd_is_listening(int descriptor) {
    int listening = 0, type = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) return 0;
    length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return 0;
    return listening && type == SOCK_STREAM;
}
