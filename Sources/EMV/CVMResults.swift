/// CVM Results, tag 9F34 (EMV Book 4 A4): method, condition, result.
package struct CVMResults: Hashable, Sendable {
    /// The three bytes, the first one highest.
    package let rawValue: UInt32

    /// - Parameter rawValue: the low 24 bits count.
    package init(rawValue: UInt32) { self.rawValue = rawValue & 0x00FF_FFFF }

    /// Bits 6 to 1 of the method (EMV Book 3 C3).
    package var method: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 16) & 0x3F }

    /// 0 unknown, 1 failed, 2 successful.
    package var result: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

    /// A method that verifies somebody (not `no CVM required`, not `no CVM performed`) that has not failed. A
    /// signature has the result unknown: the terminal does not see it.
    package var isCardholderVerified: Bool {
        method != 0x1F && method != 0x3F && method != 0 && result != 1
    }
}
