// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "wsd",
    products: [
        .executable(name: "wsd", targets: ["wsd"]),
        .executable(name: "wsctl", targets: ["wsctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Nothing of ours below these.
        .target(name: "CLinux"),
        .target(name: "Model"),

        // Pure: the standard library and swift-collections only. No NIO, Foundation, clock or random source.
        .target(name: "Supervision", dependencies: ["Model"]),
        .target(name: "Realtime", dependencies: ["Model", .collections]),

        // Sans-I/O protocols and codecs.
        .target(name: "WebSocketProtocol", dependencies: ["Model", .nioCore]),
        .target(name: "Wire", dependencies: ["Model", .nioCore]),

        // The operating system.
        .target(name: "LinuxSystem", dependencies: ["Model", "CLinux"]),

        // Drivers: I/O around the machines. They never import each other.
        .target(name: "ConfigurationFile", dependencies: ["Model", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "ChildRuntime",
            dependencies: ["Model", "Wire", "LinuxSystem", .nioCore, .nioPosix, .logging]
        ),
        .target(
            name: "Supervisor",
            dependencies: [
                "Model", "Supervision", "Wire", "LinuxSystem", "ConfigurationFile", .collections, .nioCore, .nioPosix,
                .nioHTTP1, .hummingbird, .logging,
            ]
        ),
        .target(
            name: "Hub",
            dependencies: ["Model", "Realtime", "Wire", "ChildRuntime", .nioCore, .nioPosix, .logging]
        ),
        .target(
            name: "Worker",
            dependencies: [
                "Model", "Realtime", "WebSocketProtocol", "Wire", "LinuxSystem", "ChildRuntime", .collections, .nioCore,
                .nioPosix, .nioHTTP1, .httpTypes, .hummingbird, .logging,
            ]
        ),
        .target(name: "ControlClient", dependencies: ["Model", "Wire", .nioCore, .nioPosix, .nioHTTP1]),

        // The two programs: roles, flags and screens.
        .executableTarget(
            name: "wsd",
            dependencies: ["Model", "Supervisor", "Hub", "Worker", "ConfigurationFile", .argumentParser]
        ),
        .executableTarget(name: "wsctl", dependencies: ["Model", "Wire", "ControlClient", .argumentParser]),

        // Tests: one target per library, and the fleet under a virtual clock. Real processes: Tests/Integration (pytest).
        .testTarget(name: "ModelTests", dependencies: ["Model"]),
        .testTarget(name: "SupervisionTests", dependencies: ["Supervision"]),
        .testTarget(name: "SimulationTests", dependencies: ["Supervision", "Realtime", "Wire", .nioCore]),
        .testTarget(name: "RealtimeTests", dependencies: ["Realtime"]),
        .testTarget(name: "WebSocketProtocolTests", dependencies: ["WebSocketProtocol", .nioCore]),
        .testTarget(name: "WireTests", dependencies: ["Wire", .nioCore]),
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem"]),
        .testTarget(name: "ConfigurationFileTests", dependencies: ["ConfigurationFile"]),
        .testTarget(name: "ChildRuntimeTests", dependencies: ["ChildRuntime", "Wire", .nioCore, .nioEmbedded]),
        .testTarget(name: "SupervisorTests", dependencies: ["Supervisor", .nioCore, .nioEmbedded]),
        .testTarget(name: "HubTests", dependencies: ["Hub", "Wire", .nioCore, .nioEmbedded]),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Model", "Worker", "Wire", "WebSocketProtocol", .nioCore, .nioEmbedded, .nioPosix, .nioHTTP1, .logging,
            ]
        ),
        .testTarget(name: "ControlClientTests", dependencies: ["Model", "Wire", "ControlClient", "wsctl", .nioCore]),
    ]
)

extension Target.Dependency {
    static var argumentParser: Self { .product(name: "ArgumentParser", package: "swift-argument-parser") }
    static var collections: Self { .product(name: "Collections", package: "swift-collections") }
    static var httpTypes: Self { .product(name: "HTTPTypes", package: "swift-http-types") }
    static var hummingbird: Self { .product(name: "Hummingbird", package: "hummingbird") }
    static var logging: Self { .product(name: "Logging", package: "swift-log") }
    static var nioCore: Self { .product(name: "NIOCore", package: "swift-nio") }
    static var nioEmbedded: Self { .product(name: "NIOEmbedded", package: "swift-nio") }
    static var nioHTTP1: Self { .product(name: "NIOHTTP1", package: "swift-nio") }
    static var nioPosix: Self { .product(name: "NIOPosix", package: "swift-nio") }
}

for target in package.targets where ![.system, .plugin].contains(target.type) && target.name != "CLinux" {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ]
}
