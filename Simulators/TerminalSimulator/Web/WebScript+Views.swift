extension WebScript {
    static let choices = #"""

        // Tabs by mouse and arrows; one panel of a list is shown.
        function select(list, panel) {
          for (const tab of at(list).querySelectorAll('[role=tab]')) {
            const own = tab.getAttribute('aria-controls') === panel;
            tab.setAttribute('aria-selected', String(own)); tab.tabIndex = own ? 0 : -1;
            at(tab.getAttribute('aria-controls')).hidden = !own;
          }
        }
        function tabs(list, chose) {
          const all = [...at(list).querySelectorAll('[role=tab]')];
          for (const tab of all) {
            tab.addEventListener('click', () => { select(list, tab.getAttribute('aria-controls')); chose(tab.getAttribute('aria-controls')); });
            tab.addEventListener('keydown', event => {
              const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
              if (!step) return;
              const open = all.filter(one => !one.disabled);
              const next = open[(open.indexOf(tab) + step + open.length) % open.length];
              event.preventDefault(); next.focus(); next.click();
            });
          }
        }
        tabs('parts', panel => { part = panel; });
        tabs('views', panel => { sessionStorage.view = panel; if (panel === 'view-run') readScenarios(); });

        const looks = ['system', 'light', 'dark'];
        function drawLook() {
          const look = looks.includes(localStorage.look) ? localStorage.look : 'system';
          document.documentElement.dataset.theme = look;
          at('theme').textContent = { system: '◐', light: '☀', dark: '☾' }[look];
          at('theme').title = 'Colours: ' + look; at('theme').setAttribute('aria-label', 'Colours: ' + look);
          return look;
        }
        at('theme').addEventListener('click', () => { localStorage.look = looks[(looks.indexOf(drawLook()) + 1) % 3]; drawLook(); });
        drawLook();

        async function hint() {
          const card = at('card').value, known = await (await fetch('/card?card=' + encodeURIComponent(card))).json();
          if (card !== at('card').value) return;
          at('pinhint').textContent = known.pin ? 'test PIN ' + known.pin : 'no test PIN known';
          at('currency').textContent = known.currency;
        }
        at('card').addEventListener('change', hint);
        // A reload keeps what was chosen.
        const kept = ['kind', 'card', 'link', 'deed', 'entry', 'expected'];
        function keep() { for (const id of kept) sessionStorage['choice-' + id] = at(id).value; }
        for (const id of kept) at(id).addEventListener('change', keep);
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
            gone.type = 'button'; gone.addEventListener('click', () => { edits.splice(index, 1); drawEdits(); at('addelement').focus(); });
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
          at('savedcount').textContent = names.length || '';
          at('saved').disabled = at('take').disabled = at('forget').disabled = names.length === 0;
          at('save').disabled = at('savename').value.trim() === '';
        }
        at('savename').addEventListener('input', drawSaved);
        at('save').addEventListener('click', () => {
          const all = saved(), one = { edits }, name = at('savename').value.trim();
          for (const id of savedFields) one[id] = at(id).value;
          all[name] = one; localStorage.savedCards = JSON.stringify(all);
          at('savename').value = ''; drawSaved(); at('saved').value = name;
        });
        at('take').addEventListener('click', () => {
          const one = saved()[at('saved').value];
          if (!one) return;
          for (const id of savedFields) if (one[id] !== undefined) at(id).value = one[id];
          edits = one.edits || []; drawEdits(); keep(); hint();
        });
        at('forget').addEventListener('click', () => {
          const all = saved(); delete all[at('saved').value]; localStorage.savedCards = JSON.stringify(all); drawSaved();
        });
        """#

    static let views = #"""

        let cases = [], running = false;
        const caseKey = one => one.file + '\n' + one.name;
        const fits = one => { const text = at('only').value; return one.name.includes(text) || one.labels.some(label => label.includes(text)); };
        function drawChosen() {
          const count = cases.filter(fits).length;
          at('runs').textContent = running ? 'Running' : `Run ${count} of ${cases.length}`;
          at('runs').disabled = running || count === 0;
          for (const one of cases) one.box.hidden = !fits(one) || at('failedonly').checked && one.passed !== false;
        }
        function drawCase(one, line) {
          one.passed = line ? line.passed : undefined;
          const head = one.box.firstChild, sign = element('span', !line ? '○ ' : line.passed ? '✓ ' : '✗ ', !line ? '' : line.passed ? 'good' : 'bad');
          head.textContent = '';
          head.append(sign, one.name + ' ', element('small', line ? line.milliseconds + ' ms' : one.labels.join(', ')));
          one.box.lastChild.textContent = line ? line.text : `${one.file}: not run yet`;
          one.box.open = !!line && !line.passed;
        }
        async function readScenarios() {
          if (running) return;
          const read = await (await fetch('/scenarios')).json();
          const fault = read.error || '';
          if (fault) { at('score').textContent = fault; at('score').className = 'bad'; cases = []; at('results').textContent = ''; drawChosen(); return; }
          if (cases.length === read.length && cases.every((one, index) => caseKey(one) === caseKey(read[index]))) { drawChosen(); return; }
          cases = read; at('names').textContent = at('results').textContent = at('score').textContent = '';
          for (const one of cases) {
            at('names').append(element('option', one.name));
            one.box = element('details'); const text = element('pre'); text.tabIndex = 0;
            one.box.append(element('summary'), text); at('results').append(one.box); drawCase(one);
          }
          drawChosen();
        }
        at('only').addEventListener('input', drawChosen); at('failedonly').addEventListener('change', drawChosen);
        async function watch(count) {
          const byKey = new Map(cases.map(one => [caseKey(one), one]));
          let failed = 0;
          running = true; drawChosen();
          for (;;) {
            const progress = await (await fetch('/progress?from=' + count)).json();
            for (const line of progress.done) {
              count += 1; if (!line.passed) failed += 1;
              const one = byKey.get(caseKey(line));
              if (one) drawCase(one, line);
            }
            running = progress.running;
            at('bar').max = Math.max(progress.total, 1); at('bar').value = count;
            if (progress.total) {
              at('score').textContent = `${count} of ${progress.total}: ${count - failed} passed, ${failed} failed${running ? ', running' : ''}`;
              at('score').className = failed ? 'bad' : 'good';
            }
            drawChosen();
            if (!running && progress.done.length === 0) break;
            await new Promise(done => setTimeout(done, 150));
          }
          at('runexports').hidden = count === 0;
        }
        at('runs').addEventListener('click', async () => {
          at('runs').disabled = true; at('runexports').hidden = true; at('score').className = ''; at('score').textContent = '';
          const progress = await post('/scenarios', { only: at('only').value });
          if (progress.error) { at('score').textContent = progress.error; at('score').className = 'bad'; drawChosen(); return; }
          for (const one of cases) drawCase(one);
          await watch(0);
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
          at('views').hidden = !choices.scenarios;
          if (choices.scenarios) { await readScenarios(); watch(0); }
          select('views', choices.scenarios && sessionStorage.view === 'view-run' ? 'view-run' : 'view-pay');
          drawSaved(); clear(); askState(); setInterval(askState, 15000);
          document.body.dataset.ready = 'yes';
        }
        begin();
        """#
}
