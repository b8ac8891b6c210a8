/// Whether two byte strings are the same, in a time that depends on their lengths only: for cryptograms, MACs
/// and PIN blocks, where the time to the first difference would tell how much of a guess is right.
package func constantTimeEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<left.count {
        difference |= left[index] ^ right[index]
    }
    return isZero(UInt64(difference))
}

/// The same for arrays.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { first in right.withUnsafeBytes { constantTimeEqual(first, $0) } }
}

/// The same for a cryptogram or PIN block of eight bytes held as a number.
package func constantTimeEqual(_ left: UInt64, _ right: UInt64) -> Bool {
    isZero(left ^ right)
}

/// Not inlined, so that the optimiser cannot see the comparison behind the accumulated difference and leave
/// the loop early.
@inline(never)
private func isZero(_ difference: UInt64) -> Bool {
    // 0 gives all ones in the upper half of the subtraction; everything else has its top bit folded away.
    let folded = (difference | (0 &- difference)) >> 63
    return folded == 0
}
