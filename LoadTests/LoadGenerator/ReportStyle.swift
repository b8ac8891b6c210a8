/// How reports look: light, dark and on paper. Lines of a plot differ in colour and in dashes, so that they can be told
/// apart without colour.
enum ReportStyle {
    static let css = """
        :root { color-scheme: light dark; --text: #1d1d1b; --soft: #55534d; --page: #fff; --row: #f3f2ef;
          --grid: #d9d7d1; --bad: #b3201a; --s0: #1259b0; --s1: #b3201a; --s2: #1f6b2c; --s3: #6a1b9a; --s4: #a14a00 }
        @media (prefers-color-scheme: dark) { :root { --text: #eceae5; --soft: #b1aea6; --page: #16181b;
          --row: #1f2226; --grid: #3a3d42; --bad: #ff938a; --s0: #7fb6ff; --s1: #ff938a; --s2: #7bd48f;
          --s3: #d4a3f2; --s4: #ffb066 } }
        body { font: 14px/1.45 system-ui, sans-serif; max-width: 900px; margin: 2em auto; padding: 0 1em;
          color: var(--text); background: var(--page) }
        table { border-collapse: collapse; margin: 1em 0 } td, th { padding: 2px 12px; text-align: right }
        td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: var(--row) }
        svg { width: 100%; margin: .6em 0 } svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
        svg .title { font-weight: 600; fill: var(--text) } svg .grid { stroke: var(--grid) }
        svg .right { text-anchor: end } svg .middle { text-anchor: middle }
        svg .line { fill: none; stroke-width: 1.8 } svg .key { stroke-width: 3 }
        svg .s0 { stroke: var(--s0) } svg .s1 { stroke: var(--s1); stroke-dasharray: 7 3 }
        svg .s2 { stroke: var(--s2); stroke-dasharray: 2 2 } svg .s3 { stroke: var(--s3); stroke-dasharray: 9 3 2 3 }
        svg .s4 { stroke: var(--s4); stroke-dasharray: 12 4 }
        svg .bar { fill: var(--s0) } svg .reach { stroke: var(--s1); stroke-width: 2 }
        .bad { color: var(--bad); font-weight: 600 } .soft { color: var(--soft) }
        @media print { :root { --text: #000; --soft: #222; --page: #fff; --row: #fff; --grid: #aaa; --bad: #000;
          --s0: #000; --s1: #000; --s2: #000; --s3: #000; --s4: #000 }
          body { max-width: none; margin: 0 } svg, table { break-inside: avoid } }
        """
}
