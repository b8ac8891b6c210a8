/// The page: a payment terminal, what is to be sent, what came of it, and the history beside it; scenarios on a view of
/// their own.
enum WebPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Payment terminal</title>
        <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect y='5' width='32' height='22' rx='4' fill='%232456b8'/%3E%3Crect x='5' y='12' width='8' height='7' rx='1.5' fill='%23f2c94c'/%3E%3C/svg%3E">
        <link rel="stylesheet" href="/style.css">
        <script src="/script.js" defer></script>
        </head>
        <body>
        <header>
          <div class="brand">
            <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect class="plastic" y="5" width="32"
              height="22" rx="4"/><rect class="chip" x="5" y="12" width="8" height="7" rx="1.5"/><path class="wave"
              d="M20 12q3 4 0 8M24 10q4.5 6 0 12" fill="none"/></svg>
            <h1>Payment terminal</h1>
          </div>
          <div class="views" role="tablist" aria-label="Views" id="views" hidden>
            <button type="button" role="tab" id="tab-pay" aria-controls="view-pay">Terminal</button>
            <button type="button" role="tab" id="tab-run" aria-controls="view-run">Scenarios</button>
          </div>
          <div class="link">
            <label for="link">Link</label> <select id="link" aria-label="Link"></select>
            <span id="state" class="pill" data-state="unknown" role="status">not asked yet</span>
            <button type="button" id="check">Ask again</button>
            <button type="button" id="theme" class="quiet"></button>
          </div>
        </header>
        <main>
        <div class="pay" id="view-pay">
        <section class="device" aria-label="Terminal">
          <div class="screen">
            <div class="field"><label for="amount">Amount</label> <span id="currency"></span></div>
            <input id="amount" inputmode="numeric" autocomplete="off" value="0.00" aria-describedby="message">
            <div class="field"><label for="pin">PIN</label> <span id="pinhint"></span></div>
            <input id="pin" type="password" inputmode="numeric" autocomplete="off" maxlength="12" placeholder="none"
              aria-describedby="message pinhint">
            <p id="message" role="alert"></p>
          </div>
          <div class="keys" id="keys"></div>
          <div class="slot" aria-hidden="true"></div>
        </section>
        <section class="panel order" aria-label="Transaction">
          <h2>Transaction</h2>
          <form id="choices">
            <label class="wide">Card <select id="card"></select></label>
            <label>Do <select id="kind"></select></label>
            <label>Comes by <select id="entry"></select></label>
            <label>Tamper <select id="deed"></select></label>
            <label>Expect <input id="expected" list="codes" size="10" autocomplete="off" placeholder="anything"></label>
            <datalist id="codes"><option value="approved"><option value="declined"><option value="00">
              <option value="51"><option value="55"><option value="88"></datalist>
          </form>
          <div class="drawers">
          <details id="editor"><summary>Change elements and tags <span id="editcount" class="badge"></span></summary>
            <div id="edits"></div>
            <div class="line"><button type="button" id="addelement">+ Element</button>
            <button type="button" id="addtag">+ Tag of DE55</button></div>
            <p class="soft">Sent after the card has signed. Empty contents leave it out. DE52, DE55 and tags are hex.</p>
          </details>
          <details id="saving"><summary>Saved cards <span id="savedcount" class="badge"></span></summary>
            <div class="line"><label>Saved <select id="saved"></select></label>
            <button type="button" id="take">Take</button> <button type="button" id="forget">Delete</button></div>
            <div class="line"><label>Name <input id="savename" size="14" maxlength="40" autocomplete="off"></label>
            <button type="button" id="save">Save these choices</button></div>
            <p class="soft">Card, way, amount, tampering, expectation and changes; never a PIN. This browser keeps them.</p>
          </details>
          </div>
        </section>
        <section class="panel result" aria-label="Outcome">
          <div id="outcome" data-state="idle" role="status"><b id="verdict">Ready</b> <span id="said">Type an amount, then
            Enter. What is sent and what comes back is shown here.</span></div>
          <p id="why"></p>
          <div class="actions" id="actions">
            <button type="button" id="again">Repeat</button>
            <button type="button" id="reverse">Reverse</button>
            <span id="target" class="soft"></span>
          </div>
          <div class="tabs" role="tablist" aria-label="What was sent and said" id="parts" hidden>
            <button type="button" role="tab" id="tab-checks" aria-controls="checks">Why</button>
            <button type="button" role="tab" id="tab-exchange" aria-controls="exchange">Messages</button>
            <button type="button" role="tab" id="tab-chip" aria-controls="chip">Card
              <span id="count" class="badge"></span></button>
            <button type="button" role="tab" id="tab-bytes" aria-controls="bytes">Bytes</button>
          </div>
          <div id="checks" role="tabpanel" aria-labelledby="tab-checks" hidden><pre id="explanation" tabindex="0"
            aria-label="Check by check"></pre></div>
          <div id="exchange" role="tabpanel" aria-labelledby="tab-exchange" hidden>
            <table><thead><tr><th scope="col">Element</th><th scope="col">Request</th><th scope="col">Answer</th></tr>
            </thead><tbody id="rows"></tbody></table></div>
          <div id="chip" role="tabpanel" aria-labelledby="tab-chip" hidden>
            <div id="scriptbox"><h3>Issuer scripts</h3><pre id="scripts" tabindex="0" aria-label="Issuer scripts"></pre></div>
            <h3>Command by command</h3>
            <pre id="trace" tabindex="0" aria-label="Card and terminal, command by command"></pre></div>
          <div id="bytes" role="tabpanel" aria-labelledby="tab-bytes" hidden>
            <p class="soft">Test data in clear: account number and track are not masked here.</p>
            <div class="line"><h3>Request</h3> <button type="button" id="copyrequest">Copy as hex</button></div>
            <pre id="requesthex" tabindex="0" aria-label="Request as hex"></pre>
            <div class="line"><h3>Answer</h3> <button type="button" id="copyresponse">Copy as hex</button></div>
            <pre id="responsehex" tabindex="0" aria-label="Answer as hex"></pre>
            <p id="copied" role="status"></p>
          </div>
        </section>
        <section class="panel past" aria-label="History">
          <h2>History <span id="total" class="badge"></span></h2>
          <p class="exports" id="exports"><span class="soft">Export</span>
            <a id="json" href="/history.json" download="history.json">JSON</a>
            <a id="csv" href="/history.csv" download="history.csv">CSV</a>
            <a id="junit" href="/history.xml" download="history.xml">JUnit</a>
            <a id="yaml" href="/history.yaml" download="history.yaml">Scenario</a></p>
          <p class="soft" id="nothing">Nothing sent from this page yet. A reload keeps what will stand here.</p>
          <div class="scroll"><table><thead class="unseen"><tr><th scope="col">Outcome</th><th scope="col">What</th></tr>
            </thead><tbody id="history"></tbody></table></div>
        </section>
        </div>
        <div class="run" id="view-run" hidden>
        <section class="panel" id="scenarios" aria-label="Scenarios">
          <div class="line head"><h2>Scenarios</h2>
            <label class="grow">Name or label contains <input id="only" list="names" autocomplete="off"></label>
            <datalist id="names"></datalist>
            <label class="tick"><input type="checkbox" id="failedonly"> failed only</label>
            <button type="button" id="runs" class="primary">Run</button></div>
          <progress id="bar" max="1" value="0" aria-label="Scenarios done"></progress>
          <div class="line"><p id="score" role="status"></p>
            <p class="exports" id="runexports" hidden><span class="soft">Export</span>
            <a href="/run.xml" download="run.xml">JUnit</a> <a href="/run.html" download="run.html">Report</a></p></div>
          <div id="results"></div>
        </section>
        </div>
        </main>
        <footer><p><kbd>0</kbd>–<kbd>9</kbd> type into the field · <kbd>Tab</kbd> from amount to PIN · <kbd>Enter</kbd> goes
        on, then pays · <kbd>Esc</kbd> clears. Test cards only; account numbers are masked everywhere but under Bytes.</p>
        </footer>
        </body>
        </html>
        """#
}
