import Glibc

/// Changes of one file, as a descriptor that becomes readable with each (inotify(7)).
package enum FileChanges {
    /// - Returns: a descriptor, CLOEXEC and non-blocking, that belongs to the caller. What is read from it says nothing further.
    package static func watch(_ path: String) throws(SystemError) -> CInt {
        let descriptor = try SystemError.check(
            "inotify_init1", nil, inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)))
        guard inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) < 0 else { return descriptor }
        let error = SystemError(call: "watch", code: errno, subject: path)
        close(descriptor)
        throw error
    }
}
