#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    LEAVE_CAPACITY = 128,
    // Milliseconds.
    LEAVE_PATIENCE = 300,
};

// Read by signal handlers: set before `entered` is, and not changed while it is.
static struct termios settings_before;
static int terminal_input = -1;
static int terminal_output = -1;
static char leave_sequence[LEAVE_CAPACITY];
static size_t leave_length;
static volatile sig_atomic_t entered;
static int signal_pipe[2] = {-1, -1};

// What a program error ends with.
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSYS};
static const int told_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP};

void wsd_terminal_leave(void) {
    if (!entered) return;
    entered = 0;
    int error = errno;
    tcsetattr(terminal_input, TCSANOW, &settings_before);
    tcflush(terminal_input, TCIFLUSH);
    // A terminal that takes nothing (a stalled connection) is not waited for longer.
    struct pollfd writable = {.fd = terminal_output, .events = POLLOUT};
    if (poll(&writable, 1, LEAVE_PATIENCE) > 0) {
        ssize_t ignored = write(terminal_output, leave_sequence, leave_length);
        (void)ignored;
    }
    errno = error;
}

static void fail(int signal_number) {
    wsd_terminal_leave();
    // The handler is at its default again (SA_RESETHAND).
    raise(signal_number);
}

static void tell(int signal_number) {
    int error = errno;
    unsigned char byte = (unsigned char)signal_number;
    // A full pipe has enough to tell.
    ssize_t ignored = write(signal_pipe[1], &byte, 1);
    (void)ignored;
    errno = error;
}

static int handle(int signal_number, void (*handler)(int), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    return sigaction(signal_number, &action, NULL);
}

// Some runtimes' threads block all signals.
static void raise_here(int signal_number) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    raise(signal_number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int wsd_terminal_enter(int input, int output, const char *enter, const char *leave) {
    size_t length = strlen(leave);
    if (length > LEAVE_CAPACITY) {
        errno = EMSGSIZE;
        return -1;
    }
    // In the background this stops the process until it is brought to the front (tcsetattr(3)).
    pid_t front = tcgetpgrp(input);
    if (front >= 0 && front != getpgrp()) raise_here(SIGTTOU);
    struct termios raw;
    if (tcgetattr(input, &raw) < 0) return -1;
    if (!entered) {
        settings_before = raw;
        terminal_input = input;
        terminal_output = output;
        memcpy(leave_sequence, leave, length);
        leave_length = length;
        for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
            if (handle(fatal_signals[i], fail, SA_RESETHAND | SA_NODEFER) < 0) return -1;
    }
    raw.c_iflag &= (tcflag_t) ~(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    raw.c_oflag &= (tcflag_t)~OPOST;
    raw.c_cflag |= CS8;
    raw.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(input, TCSANOW, &raw) < 0) return -1;
    entered = 1;
    size_t size = strlen(enter), written = 0;
    while (written < size) {
        ssize_t count = write(output, enter + written, size - written);
        if (count < 0 && errno != EINTR) return -1;
        if (count > 0) written += (size_t)count;
    }
    return 0;
}

int wsd_terminal_signals(void) {
    if (signal_pipe[0] < 0 && pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
    for (size_t i = 0; i < sizeof told_signals / sizeof *told_signals; i++)
        if (handle(told_signals[i], tell, SA_RESTART) < 0) return -1;
    return signal_pipe[0];
}

void wsd_terminal_stop(void) {
    wsd_terminal_leave();
    handle(SIGTSTP, SIG_DFL, 0);
    raise_here(SIGTSTP);
    handle(SIGTSTP, tell, SA_RESTART);
}

void wsd_terminal_end(int signal_number) {
    wsd_terminal_leave();
    handle(signal_number, SIG_DFL, 0);
    raise_here(signal_number);
    _exit(128 + signal_number);
}
