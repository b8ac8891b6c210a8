/// What the page does. Amount and PIN are fields like any other, so that Tab, screen readers and phones work; the
/// terminal's keys type into the one that was used last and never take the focus from it.
enum WebScript {
    static let js = terminal + transactions + choices + views

    private static let terminal = #"""
        'use strict';
        const at = id => document.getElementById(id);
        let busy = false, field = 'amount', records = [], chosen = null, edits = [], part = null;
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
          at('actions').hidden = !chosen;
          at('target').textContent = chosen ? `acts on no. ${chosen.receipt.id}: ${chosen.receipt.title}` : '';
          at('amount').readOnly = at('pin').readOnly = busy;
          at('editcount').textContent = edits.length || '';
          const none = records.length === 0;
          at('total').textContent = records.length || ''; at('nothing').hidden = !none; at('exports').hidden = none;
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
          if (busy) return;
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
          if (key === 'Backspace') input.value = input.value.slice(0, -1);
          else if (input.value.length < (field === 'pin' ? 12 : 14)) input.value += key;
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
          // A key that took the focus would be pressed again by Enter. A finger's focus would bring up the phone's keyboard.
          button.addEventListener('pointerdown', event => {
            event.preventDefault();
            if (event.pointerType === 'mouse') at(field).focus();
          });
          button.addEventListener('mousedown', event => event.preventDefault());
          button.addEventListener('click', () => press(key));
          at('keys').append(button);
        }
        document.addEventListener('keydown', event => {
          if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || at('view-pay').hidden) return;
          const own = event.target === at('amount') || event.target === at('pin');
          const free = event.target === document.body;
          if (event.key === 'Escape' && (own || free)) { event.preventDefault(); press('Escape'); return; }
          if (event.key === 'Enter' && (own || free)) { event.preventDefault(); if (!event.repeat) enter(); return; }
          if (free && /^[0-9]$/.test(event.key)) at(field).focus();
        });
        """#

    private static let transactions = #"""

        // Nothing of the transaction before stays while the next one is asked for.
        function blank(state, head, words) {
          at('outcome').dataset.state = state; at('verdict').textContent = head; at('said').textContent = words;
          for (const id of ['why', 'explanation', 'rows', 'requesthex', 'responsehex', 'scripts', 'trace', 'copied', 'count']) at(id).textContent = '';
          for (const id of ['parts', 'checks', 'exchange', 'bytes', 'chip']) at(id).hidden = true;
        }
        async function post(path, order) {
          try {
            const reply = await fetch(path, { method: 'POST', headers: { 'X-Terminal': '1' }, body: JSON.stringify({ session, ...order }) });
            return await reply.json();
          } catch (fault) { return { error: 'The simulator does not answer: is it still running?' }; }
        }
        async function ask(path, order, head, words) {
          if (busy) return;
          busy = true; chosen = null; mark(); blank('busy', head, words); document.title = 'Asking – Payment terminal'; draw();
          const record = await post(path, order);
          busy = false;
          if (record.error) {
            chosen = records[records.length - 1] || null;
            blank('declined', 'Not sent', record.error); say(record.error); document.title = 'Not sent – Payment terminal';
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
          ask('/pay', order, 'Asking the issuer', `${order.kind} of ${order.amount} with ${order.card}`);
        }
        at('again').addEventListener('click', () => chosen && ask('/repeat', { id: chosen.receipt.id }, 'Asking the issuer', 'the same request again'));
        at('reverse').addEventListener('click', () => chosen && ask('/reverse', { id: chosen.receipt.id }, 'Asking the issuer', 'to reverse no. ' + chosen.receipt.id));

        // What does not fit goes on below its own column.
        function checkLine(text) {
          const line = element('div'), found = /^( +\S.*? {2,})(APPROVED|DECLINED|SKIPPED)( +)/.exec(text);
          line.style.setProperty('--hang', (found ? found[0].length : /^ */.exec(text)[0].length) + 'ch');
          if (found) line.append(found[1], element('b', found[2], { APPROVED: 'good', DECLINED: 'bad' }[found[2]]), text.slice(found[1].length + found[2].length));
          else line.textContent = text || ' ';
          return line;
        }
        function choose(record) {
          chosen = record;
          const receipt = record.receipt;
          blank(receipt.approved ? 'approved' : 'declined', receipt.approved ? 'Approved' : 'Not approved',
            receipt.response + (receipt.verdict ? ' · ' + receipt.judge + ': ' + receipt.verdict : '') + (receipt.milliseconds === '-' ? '' : ' · ' + receipt.milliseconds + ' ms'));
          document.title = (receipt.approved ? 'Approved' : 'Not approved') + ' – Payment terminal';
          at('why').textContent = receipt.hint ? 'Why: ' + receipt.hint : '';
          for (const text of receipt.why) at('explanation').append(checkLine(text));
          for (const row of receipt.rows) {
            const line = element('tr', undefined, row.depth > 0 ? 'deep' : '');
            const what = element('td', row.identifier + ' ');
            what.append(element('span', row.name, 'name'));
            const differs = row.response && row.request !== row.response;
            line.append(what, element('td', row.request || '·'), element('td', row.response || '·', differs ? 'changed' : ''));
            at('rows').append(line);
          }
          at('requesthex').textContent = receipt.requestHex; at('responsehex').textContent = receipt.responseHex || 'none came';
          at('copyresponse').disabled = !receipt.responseHex;
          at('scriptbox').hidden = receipt.scripts.length === 0; at('scripts').textContent = receipt.scripts.join('\n');
          at('count').textContent = receipt.scripts.length ? receipt.scripts.length + ' scripts' : '';
          at('trace').textContent = receipt.trace.join('\n') || 'The card took no part in this.';
          const there = { checks: receipt.why.length, exchange: receipt.rows.length, chip: receipt.trace.length + receipt.scripts.length, bytes: receipt.requestHex.length };
          for (const [id, count] of Object.entries(there)) at('tab-' + id).disabled = !count;
          const usual = !receipt.approved && there.checks ? 'checks' : 'exchange';
          const shown = [part, usual, 'exchange', 'chip'].find(id => id && there[id]);
          at('parts').hidden = !shown;
          if (shown) select('parts', shown);
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
          const sign = element('td', receipt.approved ? '✓' : '✗', receipt.approved ? 'good' : 'bad'), what = element('td');
          sign.setAttribute('aria-label', receipt.approved ? 'approved' : 'not approved');
          const answer = element('small'), when = element('small');
          answer.append(element('span', receipt.response, receipt.approved ? 'good' : 'bad'));
          if (receipt.verdict) answer.append(' · ' + receipt.verdict);
          when.append(`no. ${receipt.id} · ${new Date(record.time).toLocaleTimeString([], { hour12: false })}` + (receipt.milliseconds === '-' ? '' : ` · ${receipt.milliseconds} ms`));
          if (record.asExpected !== undefined && record.asExpected !== null) {
            when.append(' · ', element('span', record.asExpected ? `✓ ${record.expected} as expected` : `✗ expected ${record.expected}`, record.asExpected ? 'good' : 'bad'));
          }
          what.append(button, answer, when); row.append(sign, what);
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
}
