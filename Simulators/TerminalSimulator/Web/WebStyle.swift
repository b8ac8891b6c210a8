/// How the page looks: light, dark, on a phone, printed.
enum WebStyle {
    static let css = #"""
        :root{color-scheme:light dark;--page:#f4f3f0;--text:#1c1c1a;--soft:#5c5a54;--line:#cbc8bf;--card:#fff;
        --body:#2b2f36;--key:#e9e7e1;--keytext:#1c1c1a;--lcd:#d3e0cf;--ink:#132017;--good:#135c29;--bad:#9c1c16;
        --wait:#6b4e00;--goodback:#e2f3e5;--badback:#fbe6e4;--waitback:#fdf1cf;--accent:#0b57a4}
        @media(prefers-color-scheme:dark){:root{--page:#15171a;--text:#eae8e3;--soft:#aeaba4;--line:#41454b;
        --card:#1d2024;--body:#0c0d0f;--key:#33373d;--keytext:#f3f1ec;--lcd:#1f3027;--ink:#c4f4d1;
        --good:#7bdc97;--bad:#ff9d94;--wait:#f1cd6b;--goodback:#17301f;--badback:#3a1c1a;--waitback:#352b10;
        --accent:#8ec3ff}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
        header,main,footer{max-width:88rem;margin:0 auto;padding:0 1rem}
        header{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;align-items:center;justify-content:space-between;
        padding-top:.8rem;padding-bottom:.8rem}
        h1{font-size:1.25rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem}
        main{display:grid;grid-template-columns:17rem minmax(0,1fr);gap:1.2rem;align-items:start}
        .past{grid-column:1/-1;border-top:1px solid var(--line);padding-top:1rem;min-width:0}
        .side,.past{min-width:0}
        .device{background:var(--body);border-radius:1.2rem;padding:1rem;position:sticky;top:1rem}
        .screen{background:var(--lcd);color:var(--ink);border-radius:.5rem;padding:.6rem .8rem}
        .screen label{color:var(--ink);font-size:.8rem;display:block}
        .screen input{width:100%;background:transparent;color:var(--ink);border:0;
        border-bottom:2px solid var(--ink);font:700 1.6rem ui-monospace,"DejaVu Sans Mono",monospace;padding:0}
        .screen input+label{margin-top:.5rem}.screen #pin{font-size:1.2rem;min-height:2rem}
        .screen .soft{color:var(--ink)}
        #pinhint{margin:.2rem 0 0;font-size:.8rem;min-height:1.2em}
        #message{margin:.3rem 0 0;min-height:2.6em;font-size:.85rem;font-weight:600}
        .keys{display:grid;grid-template-columns:repeat(3,1fr);gap:.45rem;margin-top:.8rem}
        .keys button{font:600 1.15rem system-ui,sans-serif;min-height:2.75rem;border:0;background:var(--key);
        color:var(--keytext)}
        .keys [data-key=Escape]{background:#a3211a;color:#fff}
        .keys [data-key=Backspace]{background:#e0b000;color:#221a00}
        .keys [data-key=Enter]{background:#176534;color:#fff;grid-column:1/-1}
        .keys button:disabled{background:#555a61;color:#e6e6e6}
        .slot{height:.4rem;border-radius:.2rem;background:#000a;margin:.8rem 1.5rem 0}
        form{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.5rem .8rem}
        form .wide{grid-column:span 2}
        form label{display:grid;font-size:.8rem;color:var(--soft)}
        .line{display:flex;flex-wrap:wrap;gap:.4rem .7rem;align-items:center;margin:.4rem 0}
        .soft,caption{color:var(--soft);font-size:.85rem}
        select,input,button{font:inherit;color:var(--text);background:var(--card);border:1px solid var(--line);
        border-radius:.35rem;padding:.35rem .5rem;min-width:0;max-width:100%;min-height:2.1rem}
        button{cursor:pointer}button:disabled{cursor:not-allowed;color:var(--soft);background:transparent;border-style:dashed}
        a{color:var(--accent)}
        :focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        .screen input:focus{outline:2px solid var(--ink);outline-offset:2px;background:#fff3}
        #state::before{content:"";display:inline-block;width:.7em;height:.7em;border-radius:50%;
        background:currentColor;margin-right:.4em}
        #state{color:var(--soft);overflow-wrap:anywhere}
        #state[data-state=up]{color:var(--good)}#state[data-state=down]{color:var(--bad)}
        .actions{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.8rem 0}
        #outcome{font-size:1.15rem;font-weight:650;margin:.4rem 0;padding:.5rem .8rem;border-radius:.4rem;
        border-left:.4rem solid var(--line);background:var(--card);overflow-wrap:anywhere}
        #outcome[data-state=approved]{color:var(--good);background:var(--goodback);border-color:currentColor}
        #outcome[data-state=declined]{color:var(--bad);background:var(--badback);border-color:currentColor}
        #outcome[data-state=busy]{color:var(--wait);background:var(--waitback);border-color:currentColor}
        #why{margin:.3rem 0;overflow-wrap:anywhere}#why:empty{display:none}
        details{margin:.4rem 0}summary{cursor:pointer;padding:.2rem 0}
        pre{margin:.3rem 0;background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem;
        font:12px/1.5 ui-monospace,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere;
        max-height:32rem;overflow-y:auto}
        table{border-collapse:collapse;width:100%;margin:.6rem 0;font-size:.88rem;table-layout:fixed}
        caption{text-align:left;padding-bottom:.2rem}
        th,td{text-align:left;padding:.25rem .5rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;
        overflow-wrap:anywhere}
        #exchange th:first-child{width:34%}#rows td{font:12px/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
        #rows .name{font:12px/1.5 system-ui,sans-serif;color:var(--soft)}
        #rows .changed{font-weight:700}#rows .deep td:first-child{padding-left:1rem}
        #history button{border:0;background:none;padding:0;text-align:left;color:var(--accent);
        text-decoration:underline;min-height:1.5rem;overflow-wrap:anywhere;white-space:normal}
        #history tr[aria-current=true]{background:var(--card);box-shadow:inset .25rem 0 var(--accent)}
        #history td:first-child{padding-left:.6rem}
        .good{color:var(--good)}.bad{color:var(--bad)}
        .edit{display:flex;flex-wrap:wrap;gap:.4rem;margin:.3rem 0}.edit input:last-of-type{flex:1 1 9rem}
        progress{width:100%;max-width:40rem}
        #results{max-height:36rem;overflow-y:auto}#results summary{overflow-wrap:anywhere}
        footer{color:var(--soft);font-size:.85rem;padding-bottom:1rem}
        @media(max-width:60rem){main{grid-template-columns:15rem minmax(0,1fr)}}
        @media(max-width:46rem){main{grid-template-columns:minmax(0,1fr)}.device{position:static}
        .keys button{min-height:3.1rem}select,input,button{min-height:2.75rem}
        .past th:nth-child(1),.past td:nth-child(1),.past th:nth-child(5),.past td:nth-child(5){display:none}}
        @media(prefers-reduced-motion:no-preference){#outcome{transition:background-color .15s}}
        @media print{.device,form,.actions,footer,#check{display:none}main{display:block}}
        """#
}
