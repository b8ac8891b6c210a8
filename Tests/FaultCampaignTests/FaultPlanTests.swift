@testable import FaultCampaign
import Testing

/// What a seed stands for.
@Suite struct FaultPlanTests {
    @Test func aSeedIsAPlanAndEveryKindComesAsOften() {
        let plan = FaultPlan(seed: 7, count: 45)
        #expect(plan == FaultPlan(seed: 7, count: 45))
        #expect(plan != FaultPlan(seed: 8, count: 45))
        for kind in FaultKind.allCases {
            #expect((2...3).contains(plan.faults.filter { $0.kind == kind }.count), "\(kind.rawValue)")
        }
    }
}
