import ISO8583
import VirtualCard

@testable import LoadGenerator

/// Files of the repository and links of the demo.
enum Bench {
    static func path(_ name: String) -> String {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/" + name
    }

    static func link(_ dialect: String, port: Int, _ issuer: DemoIssuer) throws -> LoadLink {
        LoadLink(
            name: "test", host: "127.0.0.1", port: port,
            codec: MessageCodec(dialect: try Dialect(contentsOf: path("Config/iso8583/\(dialect).json"))),
            framing: .twoByteBigEndian, zonePINKey: try issuer.key("zpk-acquirer-a"))
    }
}
