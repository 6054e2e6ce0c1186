#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers of system calls are the same on every architecture since Linux 5.1; older C libraries do not name them all.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define WSD_P_PIDFD 3

static int is_target(const struct wsd_descriptor *descriptors, size_t count, int number) {
    for (size_t i = 0; i < count; i++) {
        if (descriptors[i].target == number) return 1;
    }
    return 0;
}

// The sources must be above all targets, so that no dup2 overwrites one that is still needed, or is one onto itself (which
// would leave CLOEXEC set).
static int add_descriptors(posix_spawn_file_actions_t *actions, const struct wsd_descriptor *descriptors, size_t count,
                           const int *sources, int highest) {
    int error = 0;
    if (!is_target(descriptors, count, 0)) {
        error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    }
    for (size_t i = 0; !error && i < count; i++) {
        error = posix_spawn_file_actions_adddup2(actions, sources[i], descriptors[i].target);
    }
    for (int number = 3; !error && number < highest; number++) {
        if (!is_target(descriptors, count, number)) error = posix_spawn_file_actions_addclose(actions, number);
    }
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(actions, highest + 1);
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    return error;
}

static int spawn_with(const char *path, char *const argv[], char *const envp[], const struct wsd_descriptor *descriptors,
                      size_t count, const int *sources, int highest, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = set_attributes(&attributes);
        if (!error) error = add_descriptors(&actions, descriptors, count, sources, highest);
        if (!error) error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int wsd_spawn(const char *path, char *const argv[], char *const envp[], const struct wsd_descriptor *descriptors, size_t count,
              pid_t *pid, int *pidfd) {
    int highest = 2;
    for (size_t i = 0; i < count; i++) {
        if (descriptors[i].target < 0) return EBADF;
        if (descriptors[i].target > highest) highest = descriptors[i].target;
    }
    int *sources = calloc(count + 1, sizeof *sources);
    if (!sources) return ENOMEM;
    int error = 0;
    size_t moved = 0;
    for (; moved < count; moved++) {
        sources[moved] = descriptors[moved].source;
        if (sources[moved] > highest) continue;
        sources[moved] = fcntl(descriptors[moved].source, F_DUPFD_CLOEXEC, highest + 1);
        if (sources[moved] < 0) {
            error = errno;
            break;
        }
    }
    if (!error) error = spawn_with(path, argv, envp, descriptors, count, sources, highest, pid);
    for (size_t i = 0; i < moved; i++) {
        if (sources[i] != descriptors[i].source) close(sources[i]);
    }
    free(sources);
    if (error) return error;

    // The child cannot have been reaped yet, so the pid is still its own. pidfd_open sets CLOEXEC.
    *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    if (*pidfd >= 0) return 0;
    error = errno;
    kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
    return error;
}

int wsd_reap(int pidfd, struct wsd_exit *out) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid((idtype_t)WSD_P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) {
        errno = EAGAIN;
        return -1;
    }
    out->pid = info.si_pid;
    out->status = info.si_status;
    out->signalled = info.si_code != CLD_EXITED;
    out->core_dumped = info.si_code == CLD_DUMPED;
    return 0;
}

int wsd_ended_child(void) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? 0 : info.si_pid;
}

int wsd_pidfd_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

char **wsd_environment(void) {
    return environ;
}

struct thread_start {
    void (*body)(void *);
    void *argument;
};

static void *run_thread(void *argument) {
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    start.body(start.argument);
    return NULL;
}

int wsd_start_thread(const char *name, void (*body)(void *), void *argument) {
    struct thread_start *start = malloc(sizeof *start);
    if (!start) return ENOMEM;
    *start = (struct thread_start){body, argument};
    sigset_t all, before;
    sigfillset(&all);
    // The new thread inherits the mask of this one.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run_thread, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        free(start);
        return error;
    }
    pthread_setname_np(thread, name);
    pthread_detach(thread);
    return 0;
}

void wsd_return_memory(size_t kept) {
    if (mallinfo2().fordblks > kept) malloc_trim(0);
}

void wsd_name_process(const char *name) { prctl(PR_SET_NAME, name); }
