/// How the page looks: light, dark, on a phone, printed.
enum WebStyle {
    static let css = #"""
        :root{color-scheme:light dark;--page:light-dark(#eef0f4,#0f1216);--panel:light-dark(#fff,#181c22);
        --text:light-dark(#16191f,#e8eaee);--soft:light-dark(#565d69,#a2a9b5);--line:light-dark(#d9dde4,#2e353f);
        --control:light-dark(#fff,#20262e);--accent:light-dark(#1f55b5,#8db8ff);--onaccent:light-dark(#fff,#0b1526);
        --good:light-dark(#0f6030,#6fdc97);--goodback:light-dark(#e3f5e9,#12301d);
        --bad:light-dark(#a11a1f,#ff9a94);--badback:light-dark(#fdeaea,#3a1719);
        --wait:light-dark(#6d4c00,#f0cc6a);--waitback:light-dark(#fdf3d6,#33290d);
        --changed:light-dark(#eef4ff,#1b2739);--most:50ch;--mono:ui-monospace,"DejaVu Sans Mono",monospace}
        :root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
        *{box-sizing:border-box}[hidden]{display:none!important}
        body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Segoe UI",sans-serif}
        header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;background:var(--panel);
        border-bottom:1px solid var(--line);padding:.6rem max(1.25rem,calc((100vw - 92rem)/2))}
        .brand{display:flex;gap:.6rem;align-items:center}
        .plastic{fill:light-dark(#2456b8,#5b8eea)}.chip{fill:#f2c94c}.wave{stroke:#fff;stroke-width:2;stroke-linecap:round}
        h1{font-size:1.1rem;font-weight:650;margin:0;letter-spacing:-.01em}
        h2{font-size:.95rem;font-weight:650;margin:0 0 .7rem}h3{font-size:.85rem;font-weight:650;margin:.6rem 0 .3rem}
        .link{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin-left:auto}
        .link label{color:var(--soft);font-size:.85rem}
        main,footer{max-width:92rem;margin:0 auto;padding:1.1rem 1.25rem 0}
        .pay{display:grid;gap:1.1rem;align-items:start;grid-template-columns:17.5rem minmax(0,1fr) 19.5rem;
        grid-template-areas:"device order past" "device result past";grid-template-rows:auto 1fr}
        .device{grid-area:device}.order{grid-area:order}.result{grid-area:result}.past{grid-area:past}
        .panel{background:var(--panel);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.1rem;min-width:0;
        box-shadow:0 1px 2px #0000000d}
        .device{background:linear-gradient(#39414d,#242a33);border:1px solid #1a1e25;border-radius:1.5rem;padding:1.1rem;
        position:sticky;top:1.1rem;box-shadow:0 8px 24px #0003,inset 0 1px 0 #ffffff26}
        .screen{background:linear-gradient(#dcebdb,#c9dcc9);color:#10200f;border-radius:.7rem;padding:.7rem .9rem;
        box-shadow:inset 0 2px 6px #0004}
        .field{display:flex;justify-content:space-between;gap:.5rem;font-size:.8rem}
        .screen input{width:100%;background:transparent;color:#10200f;border:0;border-radius:.3rem;
        font:700 1.9rem/1.2 var(--mono);padding:.1rem .2rem;text-align:right;min-height:2.6rem}
        .screen #pin{font-size:1.5rem;letter-spacing:.2em;margin-bottom:.2rem}
        .screen #pin::placeholder{color:#3d4f3c;font:400 1rem system-ui,sans-serif;letter-spacing:0}
        .screen input:focus{outline:2px solid #10200f;background:#ffffff5c}
        #currency{font-weight:650}#pinhint{white-space:nowrap}
        #message{margin:.3rem 0 0;min-height:2.6em;font-size:.85rem;line-height:1.3;font-weight:650}
        .keys{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem;margin-top:1rem}
        .keys button{font:600 1.2rem system-ui,sans-serif;min-height:2.9rem;border:0;border-radius:.55rem;color:#14171c;
        background:linear-gradient(#fafbfc,#dfe3e9);box-shadow:0 2px 0 #0007,inset 0 1px 0 #fff}
        .keys button:active:not(:disabled){transform:translateY(2px);box-shadow:none}
        .keys [data-key=Escape]{background:linear-gradient(#c2362f,#9c1f19);color:#fff;box-shadow:0 2px 0 #0007}
        .keys [data-key=Backspace]{background:linear-gradient(#f2c73c,#d9a800);box-shadow:0 2px 0 #0007}
        .keys [data-key=Enter]{background:linear-gradient(#23854a,#14652f);color:#fff;grid-column:1/-1;
        box-shadow:0 2px 0 #0007;font-size:1.05rem}
        .keys button:disabled{background:#4b535f;color:#e2e5ea;box-shadow:none}
        .slot{height:.45rem;border-radius:.25rem;background:#0009;margin:1.1rem 1.5rem .1rem}
        form{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:.6rem .8rem}form .wide{grid-column:1/-1}
        form label,.line label{display:grid;gap:.15rem;font-size:.8rem;color:var(--soft)}
        .line label.tick{display:flex;align-items:center;gap:.4rem}.line .grow{flex:1 1 14rem}
        .line{display:flex;flex-wrap:wrap;gap:.5rem .7rem;align-items:end;margin:.4rem 0}.line p{margin:.2rem 0}
        .line h2,.line h3{margin:0;align-self:center}.head h2{flex-basis:100%}
        .drawers{display:flex;flex-wrap:wrap;gap:0 2rem;margin-top:.6rem}.drawers details{flex:0 1 auto;min-width:0}
        .drawers details[open]{flex-basis:100%}
        .soft{color:var(--soft);font-size:.85rem}
        select,input,button{font:inherit;font-size:.9rem;color:var(--text);background:var(--control);
        border:1px solid var(--line);border-radius:.45rem;padding:.35rem .6rem;min-width:0;max-width:100%;min-height:2.2rem}
        input[type=checkbox]{min-height:0;width:1.1rem;height:1.1rem;accent-color:var(--accent)}
        form select,form input{width:100%;text-overflow:ellipsis}
        button{cursor:pointer;font-weight:550}button:hover:not(:disabled){border-color:var(--accent)}
        button:disabled{cursor:not-allowed;color:var(--soft);background:transparent;border-style:dashed}
        .primary:not(:disabled){background:var(--accent);border-color:var(--accent);color:var(--onaccent);padding:.35rem 1.2rem}
        .quiet{border-color:transparent;background:transparent}
        .views{display:flex;gap:.2rem;background:var(--page);border-radius:.6rem;padding:.2rem}
        .views button{border:0;background:transparent;color:var(--soft);min-height:1.9rem}
        .views [aria-selected=true]{background:var(--panel);color:var(--text);box-shadow:0 1px 2px #0003}
        a{color:var(--accent)}[aria-disabled=true]{pointer-events:none;color:var(--soft);text-decoration:none}
        :focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        .pill{border-radius:2rem;padding:.15rem .7rem;font-size:.85rem;background:var(--page);color:var(--soft);
        overflow-wrap:anywhere;max-width:22rem}
        .pill::before{content:"";display:inline-block;width:.55em;height:.55em;border-radius:50%;background:currentColor;
        margin-right:.45em}
        .pill[data-state=up]{color:var(--good);background:var(--goodback)}
        .pill[data-state=down]{color:var(--bad);background:var(--badback)}
        .badge:not(:empty){background:var(--page);border-radius:1rem;padding:0 .5rem;font-size:.8rem;font-weight:500;
        color:var(--soft)}
        #outcome{border-radius:.55rem;padding:.7rem .95rem;background:var(--page);overflow-wrap:anywhere}
        #outcome b{display:block;font-size:1.25rem;line-height:1.3}
        #outcome[data-state=idle] b{color:var(--soft)}
        #outcome[data-state=approved]{color:var(--good);background:var(--goodback)}
        #outcome[data-state=declined]{color:var(--bad);background:var(--badback)}
        #outcome[data-state=busy]{color:var(--wait);background:var(--waitback)}
        #why{margin:.6rem 0 0;overflow-wrap:anywhere}#why:empty{display:none}
        .actions{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.8rem 0 0}
        .tabs{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;border-bottom:1px solid var(--line);margin:.9rem 0 .6rem}
        .tabs button{border:0;border-radius:0;background:transparent;color:var(--soft);padding:.35rem .1rem;
        border-bottom:3px solid transparent}
        .tabs [aria-selected=true]{color:var(--text);border-bottom-color:var(--accent)}
        details{margin:.2rem 0}summary{cursor:pointer;padding:.25rem 0;overflow-wrap:anywhere;font-size:.9rem}
        pre{margin:.3rem 0;background:var(--page);border-radius:.5rem;padding:.6rem .8rem;font:12px/1.55 var(--mono);
        white-space:pre-wrap;overflow-wrap:anywhere;max-height:34rem;overflow-y:auto}
        #explanation div{padding-left:min(var(--hang),var(--most));text-indent:calc(-1*min(var(--hang),var(--most)))}
        #explanation b{font-weight:700}
        table{border-collapse:collapse;width:100%;font-size:.88rem;table-layout:fixed}
        th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;
        overflow-wrap:anywhere}th{color:var(--soft);font-size:.8rem;font-weight:600}
        #exchange th:first-child{width:38%}#rows td{font:12px/1.5 var(--mono)}
        #rows .name{font:12px/1.5 system-ui,sans-serif;color:var(--soft)}
        #rows .changed{font-weight:700;background:var(--changed)}#rows .deep td:first-child{padding-left:1rem}
        .exports{display:flex;flex-wrap:wrap;gap:.1rem .8rem;margin:-.3rem 0 .6rem;font-size:.85rem}
        .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        .scroll table{table-layout:auto}.scroll{max-height:calc(100vh - 14rem);min-height:8rem;overflow-y:auto;position:relative}
        #history td:first-child{width:1.9rem;text-align:center;font-weight:700;padding:.45rem 0}
        #history td{padding:.45rem .4rem .45rem 0}#history small{display:block;color:var(--soft);font-size:.8rem}
        #history button{border:0;background:none;padding:0;text-align:left;color:var(--accent);min-height:1.5rem;
        overflow-wrap:anywhere;white-space:normal}
        #history tr{box-shadow:inset .2rem 0 transparent}
        #history tr[aria-current=true]{background:var(--changed);box-shadow:inset .2rem 0 var(--accent)}
        .good{color:var(--good)}.bad{color:var(--bad)}#history small .good,#history small .bad{font-weight:650}
        .edit{display:flex;flex-wrap:wrap;gap:.4rem;margin:.3rem 0}.edit input:last-of-type{flex:1 1 9rem}
        progress{width:100%;height:.5rem;accent-color:var(--accent)}
        #score{font-weight:650}#results details{border-bottom:1px solid var(--line);margin:0}
        #results summary{padding:.35rem 0}#results small{color:var(--soft)}
        kbd{font:600 .78rem var(--mono);background:var(--panel);border:1px solid var(--line);border-bottom-width:2px;
        border-radius:.3rem;padding:0 .35rem}
        footer{color:var(--soft);font-size:.85rem;padding-bottom:1rem}
        @media(max-width:74rem){.pay{grid-template-columns:16.5rem minmax(0,1fr);
        grid-template-areas:"device order" "device result" "past past"}.scroll table{table-layout:auto}.scroll{max-height:none}}
        @media(max-width:46rem){:root{--most:4ch}header{position:relative}#theme{position:absolute;top:.3rem;right:.6rem}.link label{display:none}.link select{max-width:7.5rem}.pay{grid-template-columns:minmax(0,1fr);grid-template-rows:none;
        grid-template-areas:"device" "result" "order" "past"}.device{position:static}
        header,main,footer{padding-left:.9rem;padding-right:.9rem}.link{margin-left:0}
        form{grid-template-columns:repeat(2,minmax(0,1fr))}select,input,button{min-height:2.75rem}
        .screen input{min-height:2.6rem}.keys button{min-height:3rem}.views button{min-height:2.4rem}}
        @media(prefers-reduced-motion:no-preference){#outcome{transition:background-color .15s}}
        @media print{.device,.order,.actions,.tabs,footer,#check,#theme,#views,.exports{display:none!important}
        .pay{display:block}.panel{border:0;box-shadow:none}pre,.scroll table{table-layout:auto}.scroll{max-height:none}body{background:#fff}}
        """#
}
