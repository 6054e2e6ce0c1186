#pragma once

// What Swift cannot call or express by itself: posix_spawn with its attributes, variadic and inline system calls,
// structures with unions, and C11 atomics in shared memory. Every function that returns int gives 0 (or a value >= 0) for
// success and -1 with errno otherwise, unless it says something else.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: Processes (wsd_process.c)

/// One descriptor of a child: `source` here becomes `target` there.
struct wsd_descriptor {
    int source;
    int target;
};

/// Starts a program in a session of its own with no signal blocked and every signal at its default.
///
/// The child has the named descriptors at their targets, /dev/null as standard input unless 0 is a target, this process's 1 and
/// 2 unless they are targets, and nothing else. Targets are >= 0 and distinct; sources may be any open descriptors, more than
/// once, and equal to targets.
///
/// - Returns: 0, or an errno value. On success `*pid` is a child to be waited for and `*pidfd` a descriptor (CLOEXEC) of it.
int wsd_spawn(const char *path, char *const argv[], char *const envp[], const struct wsd_descriptor *descriptors, size_t count,
              pid_t *pid, int *pidfd);

/// What ps and top call this process: at most 15 bytes, more is cut. To be called on its first thread.
void wsd_name_process(const char *name);

/// How a process ended (waitid(2)).
struct wsd_exit {
    pid_t pid;
    /// Exit code, or the signal's number.
    int status;
    int signalled;
    int core_dumped;
};

/// Reaps the ended child behind `pidfd`, without waiting: -1 and EAGAIN while it runs.
int wsd_reap(int pidfd, struct wsd_exit *out);

// Pid of some child that has ended and waits to be reaped; 0: there is none. Reaps nothing.
int wsd_ended_child(void);
int wsd_pidfd_signal(int pidfd, int signal);

/// The process's environment (environ(7)); NULL when it was cleared.
char **wsd_environment(void);
/// Runs `body` on a detached thread with all signals blocked. Returns 0, or an errno value.
int wsd_start_thread(const char *name, void (*body)(void *), void *argument);

// MARK: Processes of programs (wsd_program.c)

/// Orphans of this process's descendants come to it from now on (PR_SET_CHILD_SUBREAPER of prctl(2)).
int wsd_become_subreaper(void);
/// The signal that this process gets when the thread that started it ends; it outlives execve(2), but no change of the user.
int wsd_set_death_signal(int signal);
/// Gives up the pages of code that starting took and that only waiting does not need: they are read again from the file.
void wsd_release_code(void);
/// A descriptor (CLOEXEC) of any process that can be seen.
int wsd_pidfd_open(pid_t pid);

// MARK: Descriptors (wsd_descriptors.c)

/// A pipe with CLOEXEC, non-blocking at the read end (`ends[0]`) only, with room for `capacity` bytes if the system allows it.
int wsd_pipe(int ends[2], int capacity);
/// A connected pair of Unix stream sockets with CLOEXEC and O_NONBLOCK at both ends.
int wsd_socketpair(int ends[2]);
int wsd_set_nonblocking(int descriptor, int on);
int wsd_set_cloexec(int descriptor, int on);
/// A memory file of `size` bytes that can neither grow nor shrink, with CLOEXEC.
int wsd_memfd(const char *name, size_t size);

int wsd_epoll_create(void);
/// Watches for input; `data` comes back from wsd_epoll_wait.
int wsd_epoll_add(int epoll, int descriptor, uint64_t data);
/// Waits without limit, past interruptions. Returns the number of entries written to `data`.
int wsd_epoll_wait(int epoll, uint64_t *data, int capacity);
int wsd_eventfd(void);

// MARK: Sockets (wsd_sockets.c)

struct wsd_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// Credentials of a connected Unix socket's peer at the time of its connect (SO_PEERCRED).
int wsd_peer_credentials(int descriptor, struct wsd_credentials *out);
/// Supplementary groups of the peer (SO_PEERGROUPS). Returns their number; -1 and ERANGE when there are more than `capacity`.
int wsd_peer_groups(int descriptor, gid_t *groups, int capacity);

/// A listening TCP socket with CLOEXEC, O_NONBLOCK and SO_REUSEADDR, without SO_REUSEPORT.
///
/// `address` is 4 or 16 bytes in network order. `dual` makes an IPv6 socket take IPv4, too. On success `*port` is the actual
/// one. Returns the descriptor.
int wsd_listen_tcp(const uint8_t *address, size_t length, uint32_t scope, uint16_t *port, int dual, int backlog);
/// A listening Unix stream socket with CLOEXEC and O_NONBLOCK whose file has mode 0600. Fails with EADDRINUSE when the path exists.
int wsd_listen_unix(const char *path, int backlog);
/// Connects without waiting. Returns the descriptor (CLOEXEC); EAGAIN: somebody listens there, but the backlog is full.
int wsd_connect_unix(const char *path);

/// A datagram socket connected to `path` (CLOEXEC, O_NONBLOCK). Returns the descriptor.
int wsd_connect_datagram(const char *path);
/// Sends one datagram without waiting; one that is too large for the socket goes as a sealed memfd, as
/// sd_journal_sendv(3) does it. EAGAIN: the receiver's queue is full.
int wsd_send_datagram(int descriptor, const void *bytes, size_t length);

struct wsd_address {
    /// 4 or 16; 0: end of the list.
    size_t length;
    uint8_t bytes[16];
    /// Interface of a link-local IPv6 address.
    uint32_t scope;
};

/// Addresses of a host name for listening, at most `capacity`. Returns 0 or an EAI_ code; `*count` is set on success.
int wsd_resolve(const char *host, struct wsd_address *out, size_t capacity, size_t *count);

struct wsd_local_address {
    /// AF_INET, AF_INET6, AF_UNIX or another.
    int family;
    uint8_t bytes[16];
    uint16_t port;
    int v6only;
    /// Of a Unix socket; empty when it has none or an abstract one.
    char path[109];
};

/// Address of a bound socket (getsockname(2)).
int wsd_local_address(int descriptor, struct wsd_local_address *out);
/// 1 when the descriptor is a listening stream socket, 0 when not.
int wsd_is_listening(int descriptor);

// MARK: Notifications of programs (wsd_watch.c)

/// A datagram socket (CLOEXEC, O_NONBLOCK) at an abstract address that nobody can guess, for sd_notify(3), with the sender's
/// credentials (unix(7)). Writes what belongs into NOTIFY_SOCKET to `name`. Returns the descriptor.
int wsd_notify_socket(char *name, size_t capacity);
/// Receives one datagram without waiting; descriptors that come with it are closed. Returns its length: more than `capacity`
/// when it was cut. EAGAIN: there is none. A sender that the kernel does not name has pid 0 and an uid of (uid_t)-1.
ssize_t wsd_receive_notification(int descriptor, void *bytes, size_t capacity, struct wsd_credentials *sender);

// MARK: Signals and terminal (wsd_signals.c)

/// Blocks the signals in the calling thread and those it creates from now on; ignores SIGPIPE.
int wsd_block_signals(const int *signals, size_t count);
/// A descriptor (CLOEXEC, O_NONBLOCK) from which the signals are read.
int wsd_signal_descriptor(const int *signals, size_t count);

struct wsd_signal {
    int signal;
    int code;
    pid_t pid;
    uid_t uid;
};

/// Reads one pending signal. Returns 1, or 0 when there is none.
int wsd_read_signal(int descriptor, struct wsd_signal *out);
/// Columns of a terminal; 0 when it is none or does not say.
int wsd_terminal_columns(int descriptor);

// MARK: Full-screen terminal (wsd_terminal.c); one for each process

/// Takes the terminal: keys come one by one, unechoed and without signals, and `enter` is written. What was before, and what
/// `leave` (128 bytes at most) undoes, comes back by wsd_terminal_leave, and when an error of the program's own ends it
/// (SIGSEGV and its like). To be called again when the process goes on after a stop.
int wsd_terminal_enter(int input, int output, const char *enter, const char *leave);
/// Safe in signal handlers; does nothing where nothing is to be undone.
void wsd_terminal_leave(void);
/// From now on SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT and SIGTSTP do nothing but send their number as a byte to the
/// descriptor returned (CLOEXEC, O_NONBLOCK).
int wsd_terminal_signals(void);
/// Leaves the terminal and stops the process as Ctrl-Z does; returns when it goes on, at once where nobody could make it go on.
void wsd_terminal_stop(void);
/// Leaves the terminal and ends the process by a signal.
void wsd_terminal_end(int signal_number) __attribute__((noreturn));

// MARK: Fleet board

/// A worker slot's cell in shared memory: one cache line.
struct wsd_board_cell {
    /// Instance that writes the cell; 0: nobody. In the first cell, which is nobody's: the highest slot ever claimed.
    _Atomic(uint64_t) owner;
    _Atomic(uint64_t) connections;
    _Atomic(int64_t) last_turn;
    uint8_t padding[40];
};

/// Gives memory that was freed back to the kernel where the allocator keeps more than `kept` bytes of it.
void wsd_return_memory(size_t kept);

/// Maps `size` bytes of a memory file; NULL and errno on failure.
struct wsd_board_cell *wsd_board_map(int descriptor, size_t size);
void wsd_board_unmap(struct wsd_board_cell *cells, size_t size);

static inline uint64_t wsd_board_owner(struct wsd_board_cell *cell) {
    return __c11_atomic_load(&cell->owner, __ATOMIC_ACQUIRE);
}
static inline void wsd_board_set_owner(struct wsd_board_cell *cell, uint64_t owner) {
    __c11_atomic_store(&cell->owner, owner, __ATOMIC_RELEASE);
}
/// Sets the owner only where it is `expected`. Returns whether it was.
static inline int wsd_board_replace_owner(struct wsd_board_cell *cell, uint64_t expected, uint64_t owner) {
    return __c11_atomic_compare_exchange_strong(&cell->owner, &expected, owner, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline uint64_t wsd_board_connections(struct wsd_board_cell *cell) {
    return __c11_atomic_load(&cell->connections, __ATOMIC_RELAXED);
}
static inline void wsd_board_set_connections(struct wsd_board_cell *cell, uint64_t value) {
    __c11_atomic_store(&cell->connections, value, __ATOMIC_RELAXED);
}
static inline int64_t wsd_board_last_turn(struct wsd_board_cell *cell) {
    return __c11_atomic_load(&cell->last_turn, __ATOMIC_RELAXED);
}
static inline void wsd_board_set_last_turn(struct wsd_board_cell *cell, int64_t value) {
    __c11_atomic_store(&cell->last_turn, value, __ATOMIC_RELAXED);
}
