/// The page: a payment terminal, what is to be sent and what came of it beside it, history and scenarios below.
enum WebPage {
    static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Payment terminal</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/style.css">
        </head>
        <body>
        <header>
          <h1>Payment terminal</h1>
          <div class="line">
            <label for="link">Link</label> <select id="link"></select>
            <span id="state" data-state="unknown" role="status">not asked yet</span>
            <button type="button" id="check">Ask again</button>
          </div>
        </header>
        <main>
        <section class="device" aria-label="Terminal">
          <div class="screen">
            <label for="amount">Amount</label>
            <input id="amount" inputmode="numeric" autocomplete="off" value="0.00" aria-describedby="message">
            <label for="pin">PIN <span class="soft">(empty: none)</span></label>
            <input id="pin" type="password" inputmode="numeric" autocomplete="off" maxlength="12"
              aria-describedby="message pinhint">
            <p id="pinhint"></p>
            <p id="message" role="alert"></p>
          </div>
          <div class="keys" id="keys"></div>
          <div class="slot" aria-hidden="true"></div>
        </section>
        <section class="side" aria-label="Transaction">
          <h2>Transaction</h2>
          <form id="choices">
            <label>Do <select id="kind"></select></label>
            <label class="wide">Card <select id="card"></select></label>
            <label>Comes by <select id="entry"></select></label>
            <label>Tamper <select id="deed"></select></label>
            <label>Expect <input id="expected" list="codes" size="10" autocomplete="off" placeholder="anything"></label>
            <datalist id="codes"><option value="approved"><option value="declined"><option value="00">
              <option value="51"><option value="55"><option value="88"></datalist>
          </form>
          <details id="editor"><summary>Change elements and tags before sending <span id="editcount"></span></summary>
            <div id="edits"></div>
            <button type="button" id="addelement">Change an element</button>
            <button type="button" id="addtag">Change a tag of DE55</button>
            <p class="soft">After the card has signed. An empty content leaves it out. DE52, DE55 and tags are hex.</p>
          </details>
          <details id="saving"><summary>Saved cards <span id="savedcount"></span></summary>
            <div class="line"><label>Saved <select id="saved"></select></label>
            <button type="button" id="take">Take</button> <button type="button" id="forget">Delete</button></div>
            <div class="line"><label>Name <input id="savename" size="20" maxlength="40" autocomplete="off"></label>
            <button type="button" id="save">Save these choices</button></div>
            <p class="soft">Card, way, amount, tampering, expectation and changes; never a PIN. This browser keeps them.</p>
          </details>
          <div class="actions">
            <button type="button" id="again">Repeat</button>
            <button type="button" id="reverse">Reverse</button>
            <span id="target" class="soft"></span>
          </div>
          <p id="outcome" data-state="idle" role="status">No transaction yet.</p>
          <p id="why"></p>
          <details id="checks" hidden><summary>Why, check by check</summary>
          <pre id="explanation" tabindex="0"></pre></details>
          <table id="exchange" hidden><caption>Request and answer</caption>
          <thead><tr><th scope="col">Element</th><th scope="col">Request</th><th scope="col">Answer</th></tr></thead>
          <tbody id="rows"></tbody></table>
          <details id="bytes" hidden><summary>Bytes (test data in clear)</summary>
            <div class="line"><b>Request</b> <button type="button" id="copyrequest">Copy as hex</button></div>
            <pre id="requesthex" tabindex="0" aria-label="Request as hex"></pre>
            <div class="line"><b>Answer</b> <button type="button" id="copyresponse">Copy as hex</button></div>
            <pre id="responsehex" tabindex="0" aria-label="Answer as hex"></pre>
            <p id="copied" role="status"></p>
          </details>
          <details id="scriptbox" hidden><summary>Issuer scripts <span id="count"></span></summary>
          <pre id="scripts" tabindex="0"></pre></details>
          <details id="tracebox" hidden><summary>Card and terminal, command by command</summary>
          <pre id="trace" tabindex="0"></pre></details>
        </section>
        <section class="past" aria-label="History">
          <h2>History</h2>
          <p class="line" id="exports">
            <a id="json" href="/history.json" download="history.json">JSON</a>
            <a id="csv" href="/history.csv" download="history.csv">CSV</a>
            <a id="junit" href="/history.xml" download="history.xml">JUnit</a>
            <a id="yaml" href="/history.yaml" download="history.yaml">Scenario</a>
            <span class="soft">of this page; it survives a reload</span></p>
          <table><caption class="soft">Newest first. The chosen one is what Repeat and Reverse act on.</caption>
          <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Answer</th>
          <th scope="col">Card</th><th scope="col">ms</th><th scope="col">As expected</th></tr></thead>
          <tbody id="history"></tbody></table>
        </section>
        <section class="past" id="scenarios" aria-label="Scenarios" hidden>
          <h2>Scenarios</h2>
          <div class="line"><label>Name or label contains <input id="only" list="names" autocomplete="off"></label>
          <datalist id="names"></datalist>
          <button type="button" id="runs">Run</button> <span id="chosen" class="soft"></span></div>
          <p id="score" role="status"></p>
          <progress id="bar" max="1" value="0" hidden aria-label="Scenarios done"></progress>
          <div id="results"></div>
        </section>
        </main>
        <footer><p>Keys: digits type into the field · Tab goes from amount to PIN · Enter goes on, then pays · Esc clears.
        Test cards only. Account numbers are masked everywhere but under Bytes.</p></footer>
        <script src="/script.js"></script>
        </body>
        </html>
        """#
}
