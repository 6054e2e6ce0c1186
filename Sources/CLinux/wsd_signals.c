#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void fill(sigset_t *set, const int *signals, size_t count) {
    sigemptyset(set);
    for (size_t i = 0; i < count; i++) sigaddset(set, signals[i]);
}

int wsd_block_signals(const int *signals, size_t count) {
    sigset_t set;
    fill(&set, signals, count);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error) {
        errno = error;
        return -1;
    }
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int wsd_signal_descriptor(const int *signals, size_t count) {
    sigset_t set;
    fill(&set, signals, count);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int wsd_read_signal(int descriptor, struct wsd_signal *out) {
    struct signalfd_siginfo info;
    ssize_t result;
    do {
        result = read(descriptor, &info, sizeof info);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno == EAGAIN ? 0 : -1;
    if (result != sizeof info) return 0;
    out->signal = (int)info.ssi_signo;
    out->code = info.ssi_code;
    out->pid = (pid_t)info.ssi_pid;
    out->uid = (uid_t)info.ssi_uid;
    return 1;
}

int wsd_terminal_columns(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return 0;
    return size.ws_col;
}
