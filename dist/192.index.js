export const id = 192;
export const ids = [192];
export const modules = {

/***/ 1192:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   renderSummary: () => (/* binding */ renderSummary)
/* harmony export */ });
/* harmony import */ var _log_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(6650);
/* harmony import */ var _text_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(977);


/** A summary over 1 MiB is dropped whole; past a quarter of it nobody reads. */
const BYTES = 250 * 1024;
/** The first that fits is taken. Every target keeps its row in all of them. */
const DETAILS = [
    { cell: 200, text: 1000, gantt: true, ids: true },
    { cell: 100, text: 300, gantt: true, ids: true },
    { cell: 60, text: 100, gantt: true, ids: false },
    { cell: 40, text: 40, gantt: false, ids: false },
    { cell: 20, text: 0, gantt: false, ids: false },
];
/** The job summary, in GitHub's Markdown. */
function renderSummary(promotion, context) {
    let text = '';
    for (const detail of DETAILS) {
        text = render(promotion, context, detail);
        if (Buffer.byteLength(text) <= BYTES)
            break;
    }
    return text;
}
const ICON = {
    available: '✅',
    copying: '⏳',
    planned: '📝',
    partial: '⚠️',
    failed: '❌',
};
function render(promotion, context, detail) {
    const { status, copies } = promotion;
    const show = (text) => (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(text, detail.cell);
    const told = detail.text > 0;
    return `${[
        `## ${ICON[status]} ${(0,_log_js__WEBPACK_IMPORTED_MODULE_0__/* .headline */ .Pl)(promotion, show)}`,
        ...about(promotion, context, detail),
        ...(copies.length > 0
            ? [(status === 'planned' ? planTable : resultTable)(copies, context.now, detail)]
            : []),
        ...(detail.gantt ? gantt(copies, context.now) : []),
        ...(told
            ? section('What went wrong', (0,_log_js__WEBPACK_IMPORTED_MODULE_0__/* .failuresOf */ .dJ)(promotion).map(({ regions, problem }) => item(regions, problem, detail)))
            : []),
        ...(told
            ? section('Warnings', distinct(context.warnings).map((problem) => item([], problem, detail)))
            : []),
        ...(detail.ids ? idBlocks(copies) : []),
        ...(detail === DETAILS[0]
            ? []
            : ["Some detail was left out to keep this page small. The step's outputs hold every id in full."]),
    ].join('\n\n')}\n`;
}
function about({ source, copies }, { region, projectId }, detail) {
    if (!source)
        return [];
    const facts = [
        source.ImageName,
        source.ImageSize === undefined ? '' : `${source.ImageSize} GB`,
        source.OsName,
    ];
    const known = facts.flatMap((fact) => (fact ? [(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(fact, detail.cell)] : [])).join(', ');
    const from = `Source: ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(source.ImageId, detail.cell)}${known ? ` (${known})` : ''} in ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(region, detail.cell)}`;
    const project = projectId ? `, project ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(projectId, detail.cell)}` : '';
    const target = copies[0] ? `. Target: project ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copies[0].projectId, detail.cell)}` : '';
    return [`${from}${project}${target}.`];
}
function table(head, rows) {
    const line = (cells) => `| ${cells.map((text) => (text === '' ? '–' : (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .cell */ .Hn)(text))).join(' | ')} |`;
    return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
function sign(copy) {
    if (copy.outcome === 'failed')
        return '❌';
    if (copy.outcome === 'planned')
        return '📝';
    if (copy.state === 'Deleted')
        return '🗑️';
    return (0,_log_js__WEBPACK_IMPORTED_MODULE_0__/* .isUsable */ .Ng)(copy) ? '✅' : '⏳';
}
function resultTable(copies, now, { cell: most }) {
    return table(['Region', 'Image id', 'State', 'Outcome', 'Time', 'Task id'], copies.map((copy) => [
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.region, most),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.imageId ?? '', most),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(copy.state ?? '', most),
        `${sign(copy)} ${copy.outcome}`,
        took(copy, now),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.taskId ?? '', most),
    ]));
}
function took(copy, now) {
    if (copy.startedAt === null)
        return '';
    const time = (0,_log_js__WEBPACK_IMPORTED_MODULE_0__/* .formatDuration */ .a3)(((copy.finishedAt ?? now) - copy.startedAt) / 1000);
    return kindOf(copy) === 'Under way' ? `${time} so far` : time;
}
const WOULD = { copy: 'copy', adopt: 'adopt', source: 'nothing' };
function planTable(copies, _now, { cell: most, text }) {
    return table(['Region', 'Would', 'Why', 'Name', 'Image id'], copies.map((copy) => [
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.region, most),
        WOULD[copy.plan],
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(copy.why, Math.max(most, text)),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.name, most),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(copy.imageId ?? '', most),
    ]));
}
/** Section, sign and colour of a bar. */
const KINDS = [
    { kind: 'Copied', sign: '✓', tag: 'done' },
    { kind: 'Adopted', sign: '✓', tag: 'done' },
    { kind: 'Under way', sign: '…', tag: 'active' },
    { kind: 'Deleted', sign: '✗', tag: 'crit' },
    { kind: 'Failed', sign: '✗', tag: 'crit' },
];
function kindOf(copy) {
    if (copy.outcome === 'failed')
        return 'Failed';
    if (copy.state === 'Deleted')
        return 'Deleted';
    if (copy.finishedAt === null)
        return 'Under way';
    return copy.outcome === 'adopted' ? 'Adopted' : 'Copied';
}
/** Mermaid refuses texts over 50,000 characters; a bar more than these makes nothing clearer. */
const BARS = 150;
function gantt(copies, now) {
    const bars = copies.flatMap((copy) => (copy.startedAt === null ? [] : [{ copy, start: copy.startedAt }]));
    if (bars.length === 0 || bars.length > BARS)
        return [];
    const lines = KINDS.flatMap(({ kind, sign, tag }) => {
        const some = bars.filter(({ copy }) => kindOf(copy) === kind);
        return some.length === 0
            ? []
            : [
                `  section ${kind}`,
                ...some.map(({ copy, start }) => {
                    const end = Math.max(start, copy.finishedAt ?? now);
                    return `  ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .ganttTask */ .AX)(sign, `${copy.region} ${copy.name}`)} :${tag}, ${Math.round(start)}, ${Math.round(end)}`;
                }),
            ];
    });
    return [(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .fenced */ .OF)('mermaid', ['gantt', '  dateFormat x', '  axisFormat %H:%M:%S', ...lines].join('\n'))];
}
function section(title, items) {
    return items.length === 0 ? [] : [`### ${title}`, items.join('\n')];
}
function item(regions, { message, advice }, { cell: most, text }) {
    const where = regions.length > 0 ? `${regions.map((region) => (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .code */ .aY)(region, most)).join(', ')}: ` : '';
    const remedy = (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(advice, text);
    return `- ${where}${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .prose */ .CS)(message, text)}${remedy ? `\n  - **What to do:** ${remedy}` : ''}`;
}
function distinct(problems) {
    return [
        ...new Map(problems.map((problem) => [JSON.stringify([problem.message, problem.advice]), problem])).values(),
    ];
}
function idBlocks(copies) {
    const ids = copies.flatMap(({ region, imageId, state, outcome }) => imageId === null || outcome === 'failed' || outcome === 'planned' || state === 'Deleted'
        ? []
        : [[region, imageId]]);
    if (ids.length === 0)
        return [];
    const variables = ids.map(([region, imageId]) => `  ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .hcl */ .aq)(region)} = ${(0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .hcl */ .aq)(imageId)}`);
    return [
        '<details>\n<summary>Image ids as JSON and as a Terraform variable</summary>',
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .fenced */ .OF)('json', (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .json */ .Pq)(Object.fromEntries(ids))),
        (0,_text_js__WEBPACK_IMPORTED_MODULE_1__/* .fenced */ .OF)('hcl', ['image_ids = {', ...variables, '}'].join('\n')),
        '</details>',
    ];
}


/***/ })

};
