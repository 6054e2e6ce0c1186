#define _GNU_SOURCE
#include "CLinux.h"

#include <link.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The same on every architecture since Linux 5.1; older C libraries do not name it.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int wsd_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int wsd_set_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

static int release_code_of(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || segment->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        // Nobody writes there (the code is position-independent), so all comes back from the file when it is needed.
        madvise((void *)start, object->dlpi_addr + segment->p_vaddr + segment->p_memsz - start, MADV_DONTNEED);
    }
    return 0;
}

void wsd_release_code(void) { dl_iterate_phdr(release_code_of, NULL); }

int wsd_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
