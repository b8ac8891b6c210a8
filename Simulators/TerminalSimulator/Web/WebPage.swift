/// The page: a payment terminal, the live exchange beside it, the history below.
enum WebPage {
    static let html = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>Payment terminal</title>
        <link rel="stylesheet" href="/style.css">
        </head>
        <body>
        <main>
        <section class="device" aria-label="Payment terminal">
          <div class="screen" role="status" aria-live="polite">
            <div id="line1">AMOUNT</div><div id="line2">0.00</div><div id="line3">Enter goes on</div>
          </div>
          <div class="keys" id="keys"></div>
          <div class="slot" aria-hidden="true"></div>
        </section>
        <section class="side">
          <form id="choices">
            <label>Do <select id="kind"></select></label>
            <label>Card <select id="card"></select></label>
            <label>Comes by <select id="entry"></select></label>
            <label>Link <select id="link"></select></label>
            <label>Tamper <select id="deed"></select></label>
            <button type="button" id="again">Repeat</button>
            <button type="button" id="reverse">Reverse</button>
          </form>
          <p id="outcome" data-state="idle" role="status">No transaction yet.</p>
          <p id="why"></p>
          <details id="checks" hidden><summary>Why, check by check</summary>
          <pre id="explanation" tabindex="0"></pre></details>
          <div class="pair"><pre id="request" tabindex="0">Request</pre>
          <pre id="response" tabindex="0">Response</pre></div>
          <details><summary>Issuer scripts <span id="count"></span></summary>
          <pre id="scripts" tabindex="0"></pre></details>
          <details><summary>Card and terminal, command by command</summary>
          <pre id="trace" tabindex="0"></pre></details>
          <table><caption>History</caption>
          <thead><tr><th>Time</th><th>What</th><th>Answer</th><th>Card</th><th>ms</th></tr></thead>
          <tbody id="history"></tbody></table>
        </section>
        </main>
        <script src="/script.js"></script>
        </body>
        </html>
        """

    static let style = """
        :root{color-scheme:light dark;--page:#f3f2ee;--text:#1c1c1a;--soft:#66645e;--line:#cfccc4;--card:#fff;
        --body:#2b2f36;--key:#e9e7e1;--keytext:#1c1c1a;--lcd:#c9d8c5;--ink:#17251a;--good:#17692f;--bad:#a8201a}
        @media(prefers-color-scheme:dark){:root{--page:#15171a;--text:#e8e6e1;--soft:#a19e97;--line:#3a3d42;
        --card:#1d2024;--body:#0c0d0f;--key:#33373d;--keytext:#f0eee9;--lcd:#22332a;--ink:#b9f0c8;
        --good:#5fce82;--bad:#ff8a80}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
        main{display:grid;grid-template-columns:17rem 1fr;gap:1.5rem;max-width:84rem;margin:1.5rem auto;
        padding:0 1rem;align-items:start}
        .device{background:var(--body);border:1px solid var(--line);border-radius:1.4rem;padding:1.1rem;
        position:sticky;top:1.5rem}
        .screen{background:var(--lcd);color:var(--ink);border-radius:.5rem;padding:.8rem;min-height:7.2rem;
        font-family:ui-monospace,"DejaVu Sans Mono",monospace}
        #line2{font-size:1.7rem;font-weight:700;min-height:2.4rem;overflow-wrap:anywhere}
        #line1,#line3{font-size:.85rem}
        .keys{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem;margin-top:1rem}
        .keys button{font:600 1.15rem system-ui,sans-serif;padding:.65rem 0;border:0;border-radius:.5rem;
        background:var(--key);color:var(--keytext)}
        .keys [data-key=Escape]{background:#b3261e;color:#fff}.keys [data-key=Backspace]{background:#e0b000;color:#221a00}
        .keys [data-key=Enter]{background:#1d7a3a;color:#fff}
        .slot{height:.4rem;border-radius:.2rem;background:#0008;margin:1rem 1.5rem 0}
        form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end}
        label{display:grid;font-size:.8rem;color:var(--soft)}
        select,form button{font:inherit;color:var(--text);background:var(--card);border:1px solid var(--line);
        border-radius:.35rem;padding:.3rem .5rem;max-width:20rem}
        #outcome{font-size:1.15rem;font-weight:600}
        #outcome[data-state=approved]{color:var(--good)}#outcome[data-state=declined]{color:var(--bad)}
        .pair{display:grid;grid-template-columns:1fr 1fr;gap:.8rem}.side,.pair>*{min-width:0}
        pre{font:12px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;background:var(--card);margin:0;
        border:1px solid var(--line);border-radius:.35rem;padding:.6rem;overflow:auto;max-height:26rem}
        details{margin:.8rem 0}table{border-collapse:collapse;width:100%;margin-top:.8rem}
        caption{text-align:left;font-weight:600}#why{color:var(--soft);margin:-.8rem 0 .8rem}
        td button{font:inherit;color:inherit;background:none;border:0;padding:0;text-decoration:underline}
        th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
        :focus-visible{outline:2px solid var(--good);outline-offset:2px}
        @media(max-width:60rem){main,.pair{grid-template-columns:1fr}.device{position:static}}
        """

    static let script = """
        'use strict';
        const at = id => document.getElementById(id);
        // amount: minor units as digits; stage: amount, pin, busy or done.
        let stage = 'amount', digits = '', pin = '';
        const money = text => {
          const padded = text.padStart(3, '0');
          return padded.slice(0, -2) + '.' + padded.slice(-2);
        };
        function show(one, two, three) {
          at('line1').textContent = one; at('line2').textContent = two; at('line3').textContent = three;
        }
        function draw() {
          if (stage === 'amount') show('AMOUNT', money(digits), 'Enter goes on');
          if (stage === 'pin') show('PIN for ' + money(digits), '•'.repeat(pin.length), 'Enter without digits: no PIN');
          if (stage === 'busy') show('PLEASE WAIT', money(digits), 'asking the issuer');
        }
        function reset() { stage = 'amount'; digits = ''; pin = ''; draw(); }
        function press(key) {
          if (stage === 'busy') return;
          if (key === 'Escape') { reset(); return; }
          if (stage === 'done') reset();
          if (/^[0-9]$/.test(key)) {
            if (stage === 'amount' && digits.length < 10) digits = (digits + key).replace(/^0+/, '');
            if (stage === 'pin' && pin.length < 12) pin += key;
          } else if (key === 'Backspace') {
            if (stage === 'amount') digits = digits.slice(0, -1); else pin = pin.slice(0, -1);
          } else if (key === 'Enter') {
            if (stage === 'amount' && digits) stage = 'pin';
            else if (stage === 'pin' && (pin.length === 0 || pin.length >= 4)) { pay(); return; }
          }
          draw();
        }
        async function ask(path, order) {
          stage = 'busy'; draw();
          let receipt;
          try {
            const reply = await fetch(path, { method: 'POST', headers: { 'X-Terminal': '1' }, body: JSON.stringify(order) });
            receipt = await reply.json();
          } catch (fault) { receipt = { error: String(fault) }; }
          finish(receipt);
        }
        function pay() {
          const order = { kind: at('kind').value, card: at('card').value, link: at('link').value, amount: money(digits), pin: pin, deed: at('deed').value, entry: at('entry').value };
          pin = '';
          ask('/pay', order);
        }
        function showReceipt(receipt) {
          const words = receipt.error || receipt.response;
          at('outcome').dataset.state = receipt.approved ? 'approved' : 'declined';
          at('outcome').textContent = words + (receipt.verdict ? '. Card: ' + receipt.verdict : '');
          at('why').textContent = receipt.hint ? 'Why: ' + receipt.hint : '';
          at('checks').hidden = !(receipt.why && receipt.why.length);
          at('checks').open = !receipt.approved;
          at('explanation').textContent = (receipt.why || []).join('\\n');
          if (receipt.error) return;
          at('request').textContent = receipt.requestText;
          at('response').textContent = receipt.responseText;
          at('scripts').textContent = receipt.scripts.join('\\n');
          at('count').textContent = '(' + receipt.scripts.length + ')';
          at('trace').textContent = receipt.trace.join('\\n');
        }
        function finish(receipt) {
          stage = 'done';
          show(receipt.approved ? 'APPROVED' : 'DECLINED', receipt.approved ? '✓' : '✗', receipt.error || receipt.response);
          showReceipt(receipt);
          if (receipt.error) return;
          const row = document.createElement('tr');
          const again = document.createElement('button');
          again.textContent = receipt.title;
          again.addEventListener('click', () => showReceipt(receipt));
          for (const content of [new Date().toLocaleTimeString(), again, receipt.response, receipt.verdict, receipt.milliseconds]) {
            const cell = document.createElement('td');
            cell.append(content); row.append(cell);
          }
          at('history').prepend(row);
        }
        function fill(id, choices) {
          for (const choice of choices) at(id).add(new Option(choice.words, choice.value));
        }
        for (const [key, label] of [['1','1'],['2','2'],['3','3'],['4','4'],['5','5'],['6','6'],['7','7'],['8','8'],['9','9'],
            ['Escape','✕'],['0','0'],['Backspace','‹'],['Enter','Enter']]) {
          const button = document.createElement('button');
          button.dataset.key = key; button.textContent = label;
          button.setAttribute('aria-label', key === 'Escape' ? 'Cancel' : key === 'Backspace' ? 'Correct' : label);
          if (key === 'Enter') button.style.gridColumn = '1 / -1';
          button.addEventListener('click', () => press(key));
          at('keys').append(button);
        }
        document.addEventListener('keydown', event => {
          if (event.ctrlKey || event.altKey || event.metaKey) return;
          // A focused control keeps its own keys.
          if (event.target.closest('select, #choices button, summary, td button, .keys button') && !/^[0-9]$/.test(event.key)) return;
          if (event.target.closest('select')) return;
          if (/^([0-9]|Enter|Escape|Backspace)$/.test(event.key)) { event.preventDefault(); press(event.key); }
        });
        at('again').addEventListener('click', () => ask('/repeat', {}));
        at('reverse').addEventListener('click', () => ask('/reverse', {}));
        fetch('/choices').then(reply => reply.json()).then(choices => {
          fill('kind', choices.kinds); fill('card', choices.cards); fill('link', choices.links); fill('deed', choices.deeds);
          fill('entry', choices.entries);
          document.body.dataset.ready = 'yes';
        });
        reset();
        """
}
