"""A report whose every text is somebody else's, and what they might write."""

from __future__ import annotations

from ctrain.report import Report
from ctrain.report.report import (
    Change,
    Checked,
    Curve,
    Data,
    Headline,
    Line,
    Link,
    PolicyChange,
    Remark,
    StageLine,
    State,
    Step,
    Training,
)
from ctrain.training import JobStatus
from ctrain.verdict import Finding, Outcome, Verdict
from tests.report.shapes import BEGAN

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<!-- ctrain: key=visits -->",
    "--> <b>bold</b> <!--",
    "<![CDATA[ x ]]>",
    "<?php echo 1 ?>",
    "</details></td></table><h1>passed</h1>",
    "</summary><script>1</script>",
    '"><a href="https://evil.example">x</a>',
    "' onmouseover='alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "[passed](https://evil.example)",
    "[passed][1]\n\n[1]: https://evil.example",
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x](javascript:alert(1))",
    "<https://evil.example>",
    "https://evil.example/a?b=c",
    "http://evil.example",
    "www.evil.example",
    "someone@evil.example",
    "mailto:someone@evil.example",
    "ftp://evil.example",
    "@octocat please look",
    "@org/team",
    "fixes #1, closes acme/visits#2, GH-3",
    "AB#12 and !34",
    ":warning: :+1:",
    "$\\sqrt{3}$ and $$x$$",
    "| a | b | c |",
    "a\\| b",
    "\\",
    "\\\\|",
    "`",
    "``` \n# heading\n```",
    "`a` | `b",
    "```\n<script>1</script>\n```",
    "~~~\nx\n~~~",
    "**bold** _it_ ~~gone~~",
    "# heading\n\n## another",
    "> quote\n> more",
    "- item\n- [ ] task",
    "1. one\n2. two",
    "---",
    "| a |\n|---|\n| b |",
    "<br>\r\n<hr>",
    "[^1]\n\n[^1]: note",
    "![[wiki]]",
    "::set-output name=x::y",
    "\n::error file=a::b",
    "##vso[task.setvariable variable=x]y",
    "##[error]no",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "\u202egnp.exe\u202c",
    "a\u200bb\u2066c\u2069 \ufeff",
    "\x00\x01\x02",
    "\ud800",
    "{{ 7*7 }} {% raw %} ${7*7} #{7*7}",
    "}</style><style>body{display:none}",
    "x" * 700,
    "| " * 400,
    "`" * 700,
)


def hostile(text: str, state: State = State.REJECTED) -> Report:
    """All that a report can hold, with that text wherever there is text."""
    seen = {"challenger": 0.7, "champion": 0.8, "difference": -0.1, "low": -0.2, "high": 0.1, "margin": 0.05}
    seen |= {"least": -0.05, "rows": 400.0, "confidence": 0.95, "rows_needed": 4000.0, "power": 0.3}
    undecided = Finding(text, Outcome.INCONCLUSIVE, text, measured=seen)
    failed = Finding(text, Outcome.FAIL, text)
    passed = Finding(text, Outcome.PASS, text, measured=seen)
    lines = [Line(about, text, text, text, "champion", undecided) for about in ("rule", "slice", "segment")]
    lines += [Line("other", text, text, text, text, failed), Line("rule", text, "", text, text, passed)]
    verdict = Verdict((undecided, failed), (text,))
    stages = [
        StageLine(text, text, one, text, text, text, text, 60.0, (Checked(text, verdict),), (), text)
        for one in ("serves", "given up", "waits")
    ]
    return Report(
        project=text,
        state=state,
        headline=Headline(text, text),
        summary=text,
        release=text,
        trigger=text,
        commit=text,
        branch=text,
        dirty=True,
        opened=BEGAN,
        seconds=3.0,
        model=text,
        champion=text,
        outcome=Outcome.INCONCLUSIVE,
        rows=400,
        lines=tuple(lines),
        notes=(text, text),
        policy=PolicyChange(text, (Change(text, text, text, "relaxed"), Change(text, text, text, "changed"))),
        data=Data(text, text, 10, 20, text),
        parameters={text: text},
        training=Training(
            text,
            JobStatus.FAILED,
            text,
            3.0,
            adopted=True,
            steps=(
                Step(text, JobStatus.FAILED, 1.0, None, None, text, text),
                Step(text, JobStatus.COMPLETED, 1.0, text, 2.0),
            ),
            metrics={text: 1.0},
            why=text,
        ),
        stages=tuple(stages),
        ahead=text,
        next=(text, text),
        reproduce=(text, text),
        links=(Link(text, "https://example.com/run/1"),),
        remarks=(Remark("error", text, text, text, text, 1),),
        curves=(Curve("challenger", (1, 2), (2, 1), (0.2, 0.7)),),
    )
