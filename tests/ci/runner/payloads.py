"""The injection corpus: texts that somebody may choose, as data. Each runs somewhere if it is printed as it is.

A branch, a commit message, a model's name, a slice of the data, a line of a training's log, an approver's name: they
are all somebody's text. `MARK` stands for a word of each payload's own, by which what it did can be told.
"""

from __future__ import annotations

from dataclasses import dataclass

MARK = "MARK"

GITHUB = (
    "::set-output name=MARK::MARK",
    "::set-env name=MARK::MARK",
    "::add-path::/MARK",
    "::add-mask::MARK",
    "::error file=MARK.py,line=1::MARK",
    "::warning::MARK",
    "::notice title=MARK::MARK",
    "::group::MARK",
    "::endgroup::MARK",
    "::stop-commands::MARK",
    "::save-state name=MARK::MARK",
    "::add-matcher::MARK.json",
    "::remove-matcher owner=MARK::",
    "::debug::MARK",
    "::echo::MARK",
    "::ERROR::MARK",
    "   ::error::MARK",
    "\t::group::MARK",
    "\u00a0::error::MARK",
    "\u3000\u2003::error::MARK",
    "fine\n::error::MARK",
    "fine\r::set-output name=MARK::MARK",
    "fine\r\n::add-mask::MARK",
    "fine\n\n  ::stop-commands::MARK",
    "text ##[error]MARK",
    "##[add-mask]MARK",
    "##[set-output name=MARK;]MARK",
    "###[group]MARK",
    "fine ##[stop-commands]MARK",
    "##[save-state name=MARK;]MARK",
    "##[WARNING]MARK",
)
DEVOPS = (
    "##vso[task.setvariable variable=MARK]MARK",
    "text ##vso[task.setvariable variable=state;isOutput=true]MARK",
    "##vso[task.setvariable variable=PATH;issecret=true]/MARK",
    "###vso[task.prependpath]/MARK",
    "##vso[task.setsecret]MARK",
    "##vso[task.logissue type=error;sourcepath=MARK;linenumber=1]MARK",
    "##vso[task.complete result=Succeeded;]MARK",
    "##vso[task.complete result=Failed;]MARK",
    "##vso[task.uploadsummary]/etc/MARK",
    "##vso[task.uploadfile]/etc/MARK",
    "##vso[task.addattachment type=MARK;name=MARK]/etc/MARK",
    "##vso[task.settaskvariable variable=MARK]MARK",
    "##vso[task.setendpoint id=MARK;field=url]https://MARK.example",
    "##vso[task.setprogress value=100;]MARK",
    "##vso[task.debug]MARK",
    "##vso[build.updatebuildnumber]MARK",
    "##vso[build.addbuildtag]MARK",
    "##vso[artifact.upload artifactname=MARK]/etc/MARK",
    "##vso[results.publish type=JUnit;resultFiles=MARK]MARK",
    "fine\r##vso[task.setvariable variable=MARK]MARK",
    "::group::##vso[task.setvariable variable=MARK]MARK",
    "##[group]MARK",
    "##[endgroup]MARK",
    "  ##[section]MARK",
    "##[command]MARK",
)
ASSEMBLED = (
    "#\x00#vso[task.setvariable variable=MARK]MARK",
    ":\x1b[0m:error::MARK",
    "\x1b[2K::add-mask::MARK",
    "##\x1b[31mvso[task.prependpath]/MARK",
    "#\x08#[error]MARK",
    "\x9b0m::error::MARK",
    "#\u202e#vso[task.setsecret]MARK",
)
"""Harmless until something takes out what separates their halves."""
TERMINAL = (
    "\x1b]0;MARK\x07",
    "\x1b]8;;https://MARK.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b2JMARK",
    "MARK\u202ecod.exe",
)
FILES = (
    "fine\nMARK=1",
    "fine\nEOF\nMARK=1\nx<<EOF",
    "fine\r\nMARK=1",
    "fine\nPATH_MARK<<E\n/evil\nE",
    "\nMARK<<MARK\nx\nMARK\n",
)
SHELL = (
    "$(touch MARK)",
    "`touch MARK`",
    '"; touch MARK; "',
    "';touch MARK;'",
    "main$(touch${IFS}MARK)",
    "fine\ntouch MARK",
    "; touch MARK #",
    "&& touch MARK",
    "&touch${IFS}MARK&",
    "$[$(touch MARK)]",
    '"$(touch MARK)"',
)
EXPRESSIONS = (
    "${{ format('{0}!', 'MARK') }}",
    "x ${{ secrets.KEY }} MARK",
    "$[ format('{0}!', 'MARK') ]",
    "$(Secret.MARK)",
)
MARKUP = (
    "<script>MARK()</script>",
    "<img src=x onerror=MARK()>",
    '"><svg onload=MARK()>',
    "'><iframe srcdoc=MARK>",
    "</script><script>MARK()</script>",
    "</style><style>MARK{}</style>",
    '<a href="javascript:MARK()">x</a>',
    "![MARK](https://MARK.example/x.png)",
    "[MARK](https://MARK.example)",
    "x](https://MARK.example)[y",
    "<https://MARK.example>",
    "x | MARK | y\n| --- | --- |",
    "fine\n\n# MARK",
    "fine\n```\nMARK\n\n# MARK",
    "</details></table>MARK<h1>",
    "<!-- MARK",
    "`<b>MARK</b>`<b>",
)
XML = (
    "]]></failure><testcase name='MARK'/>",
    "<![CDATA[MARK",
    "&MARK;",
    "<!DOCTYPE MARK [<!ENTITY a 'MARK'>]>",
    "' MARK='1",
)


@dataclass(frozen=True)
class Payload:
    """`text` with its own word."""

    number: int
    text: str

    @property
    def mark(self) -> str:
        return f"Pwned{self.number}q"


def _made() -> tuple[Payload, ...]:
    texts = (*GITHUB, *DEVOPS, *ASSEMBLED, *TERMINAL, *FILES, *SHELL, *EXPRESSIONS, *MARKUP, *XML)
    return tuple(Payload(number, text.replace(MARK, f"Pwned{number}q")) for number, text in enumerate(texts))


PAYLOADS = _made()
