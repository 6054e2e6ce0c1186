// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "wsd",
    products: [
        .executable(name: "wsd", targets: ["wsd"]),
        .executable(name: "wsctl", targets: ["wsctl"]),
        .library(name: "WsdClient", targets: ["WsdClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        // Nothing of ours below these.
        .target(name: "CLinux"),
        .target(name: "CAssets"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Model"),

        // Pure: the standard library and swift-collections only. No NIO, Foundation, clock or random source.
        .target(name: "Supervision", dependencies: ["Model"]),
        .target(name: "Realtime", dependencies: ["Model", .collections]),

        // Sans-I/O protocols and codecs.
        .target(name: "WebSocketProtocol", dependencies: ["Model", "CZlib", .nioCore]),
        .target(name: "Wire", dependencies: ["Model", .nioCore]),

        // The files of client/ and pages/, and what may be done with them. (Those of systemd/ are wsctl's own.)
        .target(name: "WebAssets", dependencies: ["CAssets", "Model", "Wire"]),

        // The operating system.
        .target(name: "LinuxSystem", dependencies: ["Model", "CLinux"]),

        // Pure: what files of PM2 mean.
        .target(name: "Ecosystem", dependencies: ["Model", .product(name: "Yams", package: "Yams")]),

        // Drivers: I/O around the machines. They never import each other.
        .target(name: "ConfigurationFile", dependencies: ["Model", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "ChildRuntime",
            dependencies: ["Model", "Wire", "LinuxSystem", .nioCore, .nioPosix, .logging]
        ),
        .target(
            name: "Supervisor",
            dependencies: [
                "Model", "Supervision", "Wire", "LinuxSystem", "ConfigurationFile", "CZlib", .collections, .nioCore,
                .nioPosix, .nioHTTP1, .hummingbird, .asyncHTTPClient, .logging,
            ]
        ),
        .target(name: "HistoryStore", dependencies: ["Model", "Realtime", .grdb]),
        .target(name: "Authentication", dependencies: ["Model", "Wire", .crypto, .jwtKit]),
        .target(
            name: "Webhooks",
            dependencies: ["Model", "Wire", .asyncHTTPClient, .crypto, .nioCore, .nioPosix, .nioHTTP1, .logging]
        ),
        .target(
            name: "Hub",
            dependencies: [
                "Model", "Realtime", "Wire", "HistoryStore", "ChildRuntime", "LinuxSystem", .nioCore, .nioPosix,
                .logging,
            ]
        ),
        .target(
            name: "Worker",
            dependencies: [
                "Model", "Realtime", "WebSocketProtocol", "Wire", "LinuxSystem", "ChildRuntime", "Authentication",
                "Webhooks", "WebAssets", "CZlib", .collections, .nioCore, .nioPosix, .nioHTTP1,
                .nioSSL,
                .nioTLS,
                .httpTypes, .hummingbird, .logging,
            ]
        ),
        .target(name: "ControlClient", dependencies: ["Model", "Wire", .nioCore, .nioPosix, .nioHTTP1]),
        .target(
            name: "Dashboard",
            dependencies: ["Model", "Wire", "ControlClient", "WebAssets", .nioCore, .nioPosix, .nioHTTP1]
        ),

        // A client of the server, for programs in Swift: tests, chaos and benchmarks use it.
        .target(name: "WsdClient", dependencies: ["Model", "Wire", "WebSocketProtocol", .nioCore, .nioPosix]),

        // The two programs: roles, flags and screens.
        .executableTarget(
            name: "wsd",
            dependencies: [
                "Model", "LinuxSystem", "Supervisor", "Hub", "Worker", "ConfigurationFile", .argumentParser,
            ]
        ),
        .executableTarget(
            name: "wsctl",
            dependencies: [
                "CAssets", "Model", "Wire", "LinuxSystem", "ControlClient", "Dashboard", "Ecosystem", .crypto,
                .argumentParser,
            ]
        ),

        // Not shipped: what scripts/chaos and scripts/fuzz run.
        .executableTarget(
            name: "wsd-chaos",
            dependencies: ["WsdClient", .argumentParser, .nioCore, .nioPosix],
            path: "Tools/Chaos"
        ),
        .executableTarget(
            name: "wsd-fuzz",
            dependencies: ["Model", "Wire", "WebSocketProtocol", .argumentParser, .nioCore],
            path: "Tools/Fuzz"
        ),

        // Tests: one target per library, and the fleet under a virtual clock. Real processes: Tests/Integration (pytest).
        .testTarget(name: "ModelTests", dependencies: ["Model"]),
        .testTarget(name: "SupervisionTests", dependencies: ["Supervision"]),
        .testTarget(name: "SimulationTests", dependencies: ["Supervision", "Realtime", "Wire", .nioCore]),
        .testTarget(name: "RealtimeTests", dependencies: ["Realtime"]),
        .testTarget(name: "WebSocketProtocolTests", dependencies: ["WebSocketProtocol", .nioCore]),
        .testTarget(name: "WireTests", dependencies: ["Wire", .nioCore]),
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem"]),
        .testTarget(name: "ConfigurationFileTests", dependencies: ["ConfigurationFile"]),
        .testTarget(name: "EcosystemTests", dependencies: ["ConfigurationFile", "Ecosystem", "Model"]),
        .testTarget(name: "ChildRuntimeTests", dependencies: ["ChildRuntime", "Wire", .nioCore, .nioEmbedded]),
        .testTarget(name: "SupervisorTests", dependencies: ["Supervisor", .nioCore, .nioEmbedded]),
        .testTarget(
            name: "HubTests",
            dependencies: ["Model", "Hub", "HistoryStore", "Realtime", "Wire", .logging, .nioCore, .nioEmbedded]),
        .testTarget(name: "HistoryStoreTests", dependencies: ["HistoryStore", "Realtime", "Model", .grdb]),
        .testTarget(name: "AuthenticationTests", dependencies: ["Authentication", "Model", .crypto, .jwtKit]),
        .testTarget(
            name: "WebhooksTests",
            dependencies: ["Webhooks", "Model", "Wire", .crypto, .logging, .nioCore, .nioPosix, .nioHTTP1]
        ),
        .testTarget(name: "WsdClientTests", dependencies: ["WsdClient", "Model", "Wire", .nioCore, .nioEmbedded]),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Model", "Worker", "Wire", "WebSocketProtocol", .nioCore, .nioEmbedded, .nioPosix, .nioHTTP1, .nioSSL,
                .logging,
            ]
        ),
        .testTarget(name: "WebAssetsTests", dependencies: ["WebAssets", "Model", "Wire"]),
        .testTarget(
            name: "DashboardTests",
            dependencies: ["Dashboard", "ControlClient", "WebAssets", "Model", "Wire", .nioCore, .nioPosix, .nioHTTP1]
        ),
        .testTarget(
            name: "ControlClientTests",
            dependencies: ["Model", "Wire", "ControlClient", "Ecosystem", "wsctl", .argumentParser, .nioCore]
        ),
    ]
)

extension Target.Dependency {
    static var asyncHTTPClient: Self { .product(name: "AsyncHTTPClient", package: "async-http-client") }
    static var argumentParser: Self { .product(name: "ArgumentParser", package: "swift-argument-parser") }
    static var collections: Self { .product(name: "Collections", package: "swift-collections") }
    static var crypto: Self { .product(name: "Crypto", package: "swift-crypto") }
    static var grdb: Self { .product(name: "GRDB", package: "GRDB.swift") }
    static var httpTypes: Self { .product(name: "HTTPTypes", package: "swift-http-types") }
    static var hummingbird: Self { .product(name: "Hummingbird", package: "hummingbird") }
    static var jwtKit: Self { .product(name: "JWTKit", package: "jwt-kit") }
    static var logging: Self { .product(name: "Logging", package: "swift-log") }
    static var nioCore: Self { .product(name: "NIOCore", package: "swift-nio") }
    static var nioEmbedded: Self { .product(name: "NIOEmbedded", package: "swift-nio") }
    static var nioHTTP1: Self { .product(name: "NIOHTTP1", package: "swift-nio") }
    static var nioSSL: Self { .product(name: "NIOSSL", package: "swift-nio-ssl") }
    static var nioTLS: Self { .product(name: "NIOTLS", package: "swift-nio") }
    static var nioPosix: Self { .product(name: "NIOPosix", package: "swift-nio") }
}

for target in package.targets
where ![.system, .plugin].contains(target.type) && !["CLinux", "CAssets"].contains(target.name) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ]
}
