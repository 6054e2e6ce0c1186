import Glibc
package import Model

/// Makes and checks the directories of a service's sockets.
package enum RuntimeDirectory {
    /// Makes the directory of the control socket and the private one beside the socket, where they are not there yet.
    ///
    /// - Throws: ``RuntimeDirectoryError``; a directory where others could put their own socket is refused.
    package static func prepare(_ paths: RuntimePaths) throws(RuntimeDirectoryError) {
        try make(paths.directory, mode: paths.directoryMode)
        if paths.origin == .temporary { try makePrivate(paths.directory) }
        try make(paths.privateDirectory, mode: 0o700)
        try makePrivate(paths.privateDirectory)
    }

    private static func make(_ path: String, mode: UInt32) throws(RuntimeDirectoryError) {
        guard mkdir(path, mode) != 0 else {
            // The process's umask may have taken bits away.
            chmod(path, mode)
            return
        }
        guard errno == EEXIST else {
            throw .failed(SystemError(call: "make the directory", code: errno, subject: path))
        }
    }

    /// Sees that a directory is this user's own and closed to others.
    private static func makePrivate(_ path: String) throws(RuntimeDirectoryError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .failed(SystemError(call: "look at", code: errno, subject: path)) }
        // lstat: a symbolic link, which another user could point elsewhere, is not a directory.
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path) }
        guard status.st_uid == geteuid() else { throw .foreign(path, owner: status.st_uid) }
        guard status.st_mode & 0o077 != 0 else { return }
        guard chmod(path, 0o700) == 0 else {
            throw .failed(SystemError(call: "set the mode of", code: errno, subject: path))
        }
    }
}

package enum RuntimeDirectoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Also a symbolic link.
    case notADirectory(String)
    case foreign(String, owner: UInt32)
    case failed(SystemError)

    package var description: String {
        switch self {
        case .notADirectory(let path):
            "\(path) is not a directory of its own. Remove it, or choose another place with --socket."
        case .foreign(let path, let owner):
            "The directory \(path) belongs to user \(owner). Choose another place with --socket."
        case .failed(let error): error.description
        }
    }
}
