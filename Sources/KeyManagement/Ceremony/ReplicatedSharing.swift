/// M of N by replication, so that the recombination is an exclusive or and can happen inside a token. There is one
/// component for every group of M - 1 custodians, held by all others and by none of the group. Any M custodians hold
/// every component; any M - 1 lack exactly one, and with it everything: the key is the xor of all of them.
/// (Ito, Saito, Nishizeki: Secret sharing scheme realizing general access structure, 1987.)
package struct ReplicatedSharing: Hashable, Sendable {
    /// Custodians that are needed: M.
    package let threshold: Int
    /// Custodians that there are: N.
    package let custodians: Int
    /// For every component, numbered from 1, the custodians that do not hold it.
    private let excluded: [[Int]]

    /// Bound of N: 70 components at most.
    package static let custodiansMax = 8

    /// - Throws: `KeyManagementError` unless 2 ≤ M ≤ N ≤ 8. One custodian alone would be no control.
    package init(threshold: Int, custodians: Int) throws(KeyManagementError) {
        guard (2...ReplicatedSharing.custodiansMax).contains(custodians), (2...custodians).contains(threshold)
        else {
            throw KeyManagementError(
                "\(threshold) of \(custodians)",
                "at least 2 of 2 and at most \(ReplicatedSharing.custodiansMax) custodians")
        }
        self.threshold = threshold
        self.custodians = custodians
        excluded = ReplicatedSharing.subsets(of: Array(1...custodians), count: threshold - 1)
    }

    /// Components of the key: N over M - 1.
    package var componentCount: Int { excluded.count }

    /// Who holds a component.
    package func holders(of component: Int) -> [Int] {
        (1...custodians).filter { !excluded[component - 1].contains($0) }
    }

    /// What a custodian holds.
    package func components(of custodian: Int) -> [Int] {
        (1...componentCount).filter { !excluded[$0 - 1].contains(custodian) }
    }

    /// What a group of custodians lacks; empty for M and more.
    package func missing(from group: Set<Int>) -> [Int] {
        (1...componentCount).filter { component in group.isSubset(of: excluded[component - 1]) }
    }

    /// All groups of a size, in order.
    static func subsets(of members: [Int], count: Int) -> [[Int]] {
        guard count > 0 else { return [[]] }
        return members.indices.flatMap { index in
            subsets(of: Array(members[(index + 1)...]), count: count - 1).map { [members[index]] + $0 }
        }
    }
}
