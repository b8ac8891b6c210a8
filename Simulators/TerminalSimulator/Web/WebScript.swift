/// What the page does. Amount and PIN are fields like any other, so that Tab, screen readers and phones work; the
/// terminal's keys type into the one that was used last and never take the focus from it.
enum WebScript {
    static let js = part1 + part2 + part3

    private static let part1 = #"""
        'use strict';
        const at = id => document.getElementById(id);
        let busy = false, field = 'amount', records = [], chosen = null, edits = [];
        const session = sessionStorage.session ||= crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
        const digitsOf = text => text.replace(/\D/g, '').replace(/^0+/, '').slice(0, 10);
        const money = digits => { const p = digits.padStart(3, '0'); return p.slice(0, -2) + '.' + p.slice(-2); };
        const minor = () => Number(digitsOf(at('amount').value));

        function say(words) { at('message').textContent = words; }
        function pinFault() {
          const count = at('pin').value.length;
          return count > 0 && count < 4 ? `A PIN has 4 to 12 digits, not ${count}. Clear it to pay without one.` : '';
        }
        function element(name, text, kind) {
          const made = document.createElement(name);
          if (text !== undefined) made.textContent = text;
          if (kind) made.className = kind;
          return made;
        }
        // Buttons can be pressed only when they can act.
        function draw() {
          const enter = document.querySelector('[data-key=Enter]');
          enter.disabled = busy || minor() === 0;
          enter.textContent = busy ? 'Please wait' : field === 'amount' ? 'Enter: to the PIN'
            : (at('kind').value === 'refund' ? 'Refund ' : 'Pay ') + at('amount').value;
          for (const key of document.querySelectorAll('.keys button:not([data-key=Enter])')) key.disabled = busy;
          at('again').disabled = busy || !chosen;
          at('reverse').disabled = busy || !chosen || !chosen.receipt.canReverse;
          at('target').textContent = chosen ? `no. ${chosen.receipt.id}: ${chosen.receipt.title}` : 'nothing sent from this page yet';
          at('amount').readOnly = at('pin').readOnly = busy;
          at('editcount').textContent = edits.length ? `(${edits.length})` : '';
          const none = records.length === 0;
          for (const id of ['json', 'csv', 'junit', 'yaml']) at(id).toggleAttribute('aria-disabled', none);
        }
        function clear() { at('amount').value = money(''); at('pin').value = ''; field = 'amount'; say(''); at('amount').focus(); draw(); }

        // The amount is typed as on a terminal: digits come in from the right.
        function typedAmount() {
          at('amount').value = money(digitsOf(at('amount').value));
          at('amount').setSelectionRange(20, 20);
          say(''); draw();
        }
        at('amount').addEventListener('input', typedAmount);
        at('amount').addEventListener('paste', event => {
          const text = (event.clipboardData.getData('text') || '').trim().replace(',', '.');
          event.preventDefault();
          if (!/^\d{1,8}(\.\d{1,2})?$/.test(text)) { say('An amount such as 42.50 is expected.'); return; }
          const [whole, part = ''] = text.split('.');
          at('amount').value = money(digitsOf(whole + part.padEnd(2, '0'))); say(''); draw();
        });
        at('pin').addEventListener('input', () => {
          const clean = at('pin').value.replace(/\D/g, '');
          say(clean === at('pin').value ? '' : 'A PIN has digits only.');
          at('pin').value = clean; draw();
        });
        at('amount').addEventListener('focus', () => { field = 'amount'; at('amount').setSelectionRange(20, 20); draw(); });
        at('pin').addEventListener('focus', () => { field = 'pin'; draw(); });

        function press(key) {
          if (busy) return;
          const input = at(field);
          if (key === 'Escape') { clear(); return; }
          if (key === 'Enter') { enter(); return; }
          if (key === 'Backspace') input.value = input.value.slice(0, -1); else if (input.value.length < 14) input.value += key;
          input.dispatchEvent(new Event('input'));
        }
        function enter() {
          if (busy) return;
          if (minor() === 0) { say('Type an amount first.'); at('amount').focus(); return; }
          if (field === 'amount') { at('pin').focus(); return; }
          const fault = pinFault();
          if (fault) { say(fault); at('pin').focus(); return; }
          pay();
        }
        for (const [key, label] of [['1','1'],['2','2'],['3','3'],['4','4'],['5','5'],['6','6'],['7','7'],['8','8'],['9','9'],
            ['Escape','✕'],['0','0'],['Backspace','‹'],['Enter','Enter']]) {
          const button = element('button', label);
          button.type = 'button'; button.dataset.key = key; button.tabIndex = -1;
          if (key === 'Escape') button.setAttribute('aria-label', 'Clear');
          if (key === 'Backspace') button.setAttribute('aria-label', 'Correct');
          // A key that took the focus would be pressed again by Enter.
          button.addEventListener('mousedown', event => { event.preventDefault(); at(field).focus(); });
          button.addEventListener('click', () => press(key));
          at('keys').append(button);
        }
        document.addEventListener('keydown', event => {
          if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
          const own = event.target === at('amount') || event.target === at('pin');
          if (event.key === 'Escape' && (own || event.target === document.body)) { event.preventDefault(); press('Escape'); return; }
          if (event.key === 'Enter' && (own || event.target === document.body)) { event.preventDefault(); enter(); return; }
          if (!own && event.target === document.body && /^[0-9]$/.test(event.key)) at(field).focus();
        });
        """#

    private static let part2 = #"""

        // Nothing of the transaction before stays while the next one is asked for.
        function blank(state, words) {
          at('outcome').dataset.state = state; at('outcome').textContent = words;
          for (const id of ['why', 'explanation', 'rows', 'requesthex', 'responsehex', 'scripts', 'trace', 'copied']) at(id).textContent = '';
          for (const id of ['checks', 'exchange', 'bytes', 'scriptbox', 'tracebox']) at(id).hidden = true;
        }
        async function post(path, order) {
          try {
            const reply = await fetch(path, { method: 'POST', headers: { 'X-Terminal': '1' }, body: JSON.stringify({ session, ...order }) });
            return await reply.json();
          } catch (fault) { return { error: 'The simulator does not answer: is it still running?' }; }
        }
        async function ask(path, order, words) {
          if (busy) return;
          busy = true; chosen = null; mark(); blank('busy', words); document.title = 'Asking – Payment terminal'; draw();
          const record = await post(path, order);
          busy = false;
          if (record.error) {
            blank('declined', record.error); say(record.error); document.title = 'Not sent – Payment terminal';
            chosen = records[records.length - 1] || null;
          } else {
            if (order.id) await reload(); else add(record);
            choose(records.find(one => one.receipt.id === record.receipt.id) || record);
            // On a phone the outcome lies below the terminal.
            say((record.receipt.approved ? 'APPROVED ' : 'NOT APPROVED ') + record.receipt.response);
          }
          mark(); draw(); askState();
        }
        function pay() {
          const order = { kind: at('kind').value, card: at('card').value, link: at('link').value, amount: at('amount').value,
            pin: at('pin').value, deed: at('deed').value, entry: at('entry').value, expected: at('expected').value.trim(), edits };
          at('pin').value = ''; field = 'amount'; at('amount').value = money('');
          at('amount').focus();
          ask('/pay', order, `Asking the issuer: ${order.amount} with ${order.card} …`);
        }
        at('again').addEventListener('click', () => chosen && ask('/repeat', { id: chosen.receipt.id }, 'Sending the same request again …'));
        at('reverse').addEventListener('click', () => chosen && ask('/reverse', { id: chosen.receipt.id }, 'Reversing …'));

        function choose(record) {
          chosen = record;
          const receipt = record.receipt;
          const state = receipt.approved ? 'approved' : 'declined';
          blank(state, (receipt.approved ? 'Approved: ' : 'Not approved: ') + receipt.response + (receipt.verdict ? '. ' + receipt.judge + ': ' + receipt.verdict : ''));
          document.title = (receipt.approved ? 'Approved' : 'Not approved') + ' – Payment terminal';
          at('why').textContent = receipt.hint ? 'Why: ' + receipt.hint : '';
          at('checks').hidden = receipt.why.length === 0; at('checks').open = !receipt.approved;
          at('explanation').textContent = receipt.why.join('\n');
          at('exchange').hidden = receipt.rows.length === 0;
          for (const row of receipt.rows) {
            const line = element('tr', undefined, row.depth > 0 ? 'deep' : '');
            const what = element('td', row.identifier + ' ');
            what.append(element('span', row.name, 'name'));
            const differs = row.response && row.request !== row.response;
            line.append(what, element('td', row.request || '·'), element('td', row.response || '·', differs ? 'changed' : ''));
            at('rows').append(line);
          }
          at('bytes').hidden = !receipt.requestHex;
          at('requesthex').textContent = receipt.requestHex; at('responsehex').textContent = receipt.responseHex || 'none came';
          at('copyresponse').disabled = !receipt.responseHex;
          at('scriptbox').hidden = receipt.scripts.length === 0; at('scripts').textContent = receipt.scripts.join('\n');
          at('count').textContent = `(${receipt.scripts.length})`;
          at('tracebox').hidden = receipt.trace.length === 0; at('trace').textContent = receipt.trace.join('\n');
          mark(); draw();
        }
        function mark() {
          for (const row of at('history').rows) row.setAttribute('aria-current', String(!!chosen && row.dataset.id === String(chosen.receipt.id)));
        }
        function add(record) {
          records.push(record);
          const receipt = record.receipt, row = element('tr'), button = element('button', receipt.title);
          row.dataset.id = receipt.id;
          button.type = 'button'; button.addEventListener('click', () => choose(records.find(one => one.receipt.id === receipt.id)));
          const as = record.asExpected === undefined || record.asExpected === null ? '' : record.asExpected ? '✓ ' + record.expected : '✗ not ' + record.expected;
          const cells = [new Date(record.time).toLocaleTimeString(), button, receipt.response, receipt.verdict, receipt.milliseconds, as];
          for (const content of cells) { const cell = element('td'); cell.append(content); row.append(cell); }
          row.cells[2].className = receipt.approved ? 'good' : 'bad';
          row.cells[5].className = as.startsWith('✗') ? 'bad' : 'good';
          at('history').prepend(row);
        }
        async function reload() {
          const reply = await fetch('/history?session=' + encodeURIComponent(session));
          records = []; at('history').textContent = '';
          for (const record of await reply.json()) add(record);
          return records[records.length - 1];
        }
        async function copy(id) {
          const text = at(id).textContent;
          try { await navigator.clipboard.writeText(text); at('copied').textContent = 'Copied.'; } catch (fault) {
            getSelection().selectAllChildren(at(id));
            at('copied').textContent = document.execCommand('copy') ? 'Copied.' : 'Selected: copy it with Ctrl+C.';
          }
        }
        at('copyrequest').addEventListener('click', () => copy('requesthex'));
        at('copyresponse').addEventListener('click', () => copy('responsehex'));
        async function askState() {
          const link = at('link').value;
          try {
            const state = await (await fetch('/state?link=' + encodeURIComponent(link))).json();
            if (link !== at('link').value) return;
            at('state').dataset.state = state.up ? 'up' : 'down';
            at('state').textContent = state.up ? 'host answers' : state.words; at('state').title = state.words;
          } catch (fault) { at('state').dataset.state = 'down'; at('state').textContent = 'the simulator does not answer'; }
        }
        at('check').addEventListener('click', askState); at('link').addEventListener('change', askState);
        """#

    private static let part3 = #"""

        async function hint() {
          const pin = (await (await fetch('/test-pin?card=' + encodeURIComponent(at('card').value))).json()).pin;
          at('pinhint').textContent = pin ? 'test PIN ' + pin : 'no test PIN known';
        }
        at('card').addEventListener('change', hint);
        // A reload keeps what was chosen.
        const kept = ['kind', 'card', 'link', 'deed', 'entry', 'expected'];
        for (const id of kept) at(id).addEventListener('change', () => { sessionStorage['choice-' + id] = at(id).value; });
        at('kind').addEventListener('change', draw);

        function drawEdits() {
          at('edits').textContent = '';
          edits.forEach((edit, index) => {
            const row = element('div', undefined, 'edit'), name = element('input'), content = element('input'), gone = element('button', 'Remove');
            const isTag = edit.kind === 'tag';
            name.size = 6; name.value = edit.name; name.placeholder = isTag ? '9F02' : 'DE22';
            name.setAttribute('aria-label', isTag ? 'Tag' : 'Element');
            content.value = edit.content || ''; content.placeholder = 'left out';
            content.setAttribute('aria-label', 'Content of ' + (isTag ? 'tag' : 'element'));
            name.addEventListener('input', () => { edit.name = name.value.trim(); });
            content.addEventListener('input', () => { edit.content = content.value === '' ? null : content.value; });
            gone.type = 'button'; gone.addEventListener('click', () => { edits.splice(index, 1); drawEdits(); });
            row.append(name, content, gone); at('edits').append(row);
          });
          draw();
        }
        function addEdit(kind) {
          edits.push({ kind, name: '', content: null }); drawEdits();
          at('edits').lastElementChild.querySelector('input').focus();
        }
        at('addelement').addEventListener('click', () => addEdit('element'));
        at('addtag').addEventListener('click', () => addEdit('tag'));

        const savedFields = ['card', 'entry', 'kind', 'deed', 'expected', 'amount'];
        function saved() { try { return JSON.parse(localStorage.savedCards || '{}'); } catch (fault) { return {}; } }
        function drawSaved() {
          const all = saved(), names = Object.keys(all).sort();
          at('saved').textContent = '';
          for (const name of names) at('saved').add(new Option(name, name));
          at('savedcount').textContent = names.length ? `(${names.length})` : '';
          at('take').disabled = at('forget').disabled = names.length === 0;
          at('save').disabled = at('savename').value.trim() === '';
        }
        at('savename').addEventListener('input', drawSaved);
        at('save').addEventListener('click', () => {
          const all = saved(), one = { edits };
          for (const id of savedFields) one[id] = at(id).value;
          all[at('savename').value.trim()] = one; localStorage.savedCards = JSON.stringify(all);
          at('savename').value = ''; drawSaved();
        });
        at('take').addEventListener('click', () => {
          const one = saved()[at('saved').value];
          if (!one) return;
          for (const id of savedFields) if (one[id] !== undefined) at(id).value = one[id];
          edits = one.edits || []; drawEdits(); hint();
        });
        at('forget').addEventListener('click', () => {
          const all = saved(); delete all[at('saved').value]; localStorage.savedCards = JSON.stringify(all); drawSaved();
        });

        let cases = [];
        function drawChosen() {
          const text = at('only').value;
          const fitting = cases.filter(one => one.name.includes(text) || one.labels.some(label => label.includes(text))).length;
          at('chosen').textContent = `${fitting} of ${cases.length}`; at('runs').disabled = fitting === 0;
        }
        async function readScenarios() {
          const read = await (await fetch('/scenarios')).json();
          if (read.error) { at('score').textContent = read.error; at('score').className = 'bad'; at('runs').disabled = true; return; }
          cases = read; at('names').textContent = '';
          for (const one of cases) at('names').append(element('option', one.name));
          drawChosen();
        }
        at('only').addEventListener('input', drawChosen);
        at('runs').addEventListener('click', async () => {
          at('results').textContent = ''; at('score').className = ''; at('runs').disabled = true;
          let progress = await post('/scenarios', { only: at('only').value });
          if (progress.error) { at('score').textContent = progress.error; at('score').className = 'bad'; drawChosen(); return; }
          let count = 0, failed = 0;
          at('bar').hidden = false;
          for (;;) {
            progress = await (await fetch('/progress?from=' + count)).json();
            for (const line of progress.done) {
              count += 1; if (!line.passed) failed += 1;
              const box = element('details'), head = element('summary', `${line.passed ? '✓' : '✗'} ${line.name} (${line.milliseconds} ms)`, line.passed ? 'good' : 'bad');
              const text = element('pre', line.text); text.tabIndex = 0;
              box.open = !line.passed; box.append(head, text); at('results').prepend(box);
            }
            at('bar').max = progress.total; at('bar').value = count;
            at('score').textContent = `${count} of ${progress.total}: ${count - failed} passed, ${failed} failed${progress.running ? ', running' : ''}`;
            at('score').className = failed ? 'bad' : 'good';
            if (!progress.running && progress.done.length === 0) break;
            await new Promise(done => setTimeout(done, 150));
          }
          drawChosen();
        });

        async function begin() {
          const choices = await (await fetch('/choices')).json();
          const lists = { kind: choices.kinds, card: choices.cards, link: choices.links, deed: choices.deeds, entry: choices.entries };
          for (const [id, list] of Object.entries(lists)) for (const choice of list) at(id).add(new Option(choice.words, choice.value));
          for (const id of kept) {
            const value = sessionStorage['choice-' + id];
            if (value && (id === 'expected' || [...at(id).options].some(one => one.value === value))) at(id).value = value;
          }
          for (const kind of ['json', 'csv', 'junit', 'yaml']) at(kind).href += '?session=' + encodeURIComponent(session);
          await Promise.all([reload(), hint()]);
          if (records.length) choose(records[records.length - 1]);
          if (choices.scenarios) { at('scenarios').hidden = false; await readScenarios(); }
          drawSaved(); clear(); askState(); setInterval(askState, 15000);
          document.body.dataset.ready = 'yes';
        }
        begin();
        """#
}
