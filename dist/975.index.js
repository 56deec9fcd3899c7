export const id = 975;
export const ids = [975];
export const modules = {

/***/ 2975:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  createCloud: () => (/* binding */ createCloud)
});

// EXTERNAL MODULE: ./build/cloud/parse.js
var parse = __webpack_require__(8185);
;// CONCATENATED MODULE: ./build/cloud/account.js

async function getRegions(client, options) {
    const { body } = await client.call('GetRegion', {}, options);
    const regions = new Map();
    for (const row of (0,parse/* records */.V0)(body.Regions) ?? []) {
        const id = (0,parse/* text */.Qq)(row.Region);
        if (id === undefined)
            continue;
        const earlier = regions.get(id);
        const isDefault = (0,parse/* boolean */.zM)(row.IsDefault);
        regions.set(id, (0,parse/* compact */.oE)({
            Region: id,
            Zone: earlier?.Zone ?? (0,parse/* text */.Qq)(row.Zone),
            RegionName: earlier?.RegionName ?? (0,parse/* text */.Qq)(row.RegionName),
            IsDefault: earlier?.IsDefault || (isDefault ?? earlier?.IsDefault),
        }));
    }
    return [...regions.values()];
}
async function getProjects(client, options) {
    const { body } = await client.call('GetProjectList', {}, options);
    const projects = [];
    for (const row of (0,parse/* records */.V0)(body.ProjectSet) ?? []) {
        const id = (0,parse/* text */.Qq)(row.ProjectId);
        if (id === undefined)
            continue;
        projects.push((0,parse/* compact */.oE)({
            ProjectId: id,
            ProjectName: (0,parse/* text */.Qq)(row.ProjectName),
            IsDefault: (0,parse/* boolean */.zM)(row.IsDefault),
        }));
    }
    return projects;
}

// EXTERNAL MODULE: ./build/cloud/errors.js
var errors = __webpack_require__(271);
;// CONCATENATED MODULE: ./build/cloud/gate.js
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
/** Where all calls of a client wait after the API has said that they are too many. */
function createGate(clock) {
    let wait = 0;
    let raisedAt = Number.NEGATIVE_INFINITY;
    let easedAt = Number.NEGATIVE_INFINITY;
    let notBefore = Number.NEGATIVE_INFINITY;
    const remaining = () => Math.max(0, notBefore - clock.now());
    return {
        remaining,
        // Calls that wait together leave spread over as long again, or they would all be refused once more.
        async pass(signal) {
            while (remaining() > 0)
                await clock.sleep(remaining() + clock.random() * wait, signal);
        },
        // Calls on their way together are of one opinion: a burst of refusals, or of successes, counts once.
        throttled(sentAt) {
            if (sentAt <= raisedAt)
                return;
            wait = Math.min(LONGEST_WAIT, Math.max(FIRST_WAIT, wait * 2));
            raisedAt = clock.now();
            notBefore = raisedAt + wait;
        },
        succeeded(sentAt) {
            if (sentAt <= raisedAt || sentAt < easedAt)
                return;
            wait = wait > FIRST_WAIT ? wait / 2 : 0;
            easedAt = clock.now();
        },
    };
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
;// CONCATENATED MODULE: ./build/cloud/signature.js

/** The API's signature: names sorted as strings, each followed by its value, then the private key; SHA-1 in hex. */
function sign(params, privateKey) {
    const hash = (0,external_node_crypto_.createHash)('sha1');
    for (const name of Object.keys(params).sort()) {
        hash.update(name).update(params[name]);
    }
    return hash.update(privateKey).digest('hex');
}
/** A value as the server writes it when it checks the signature: 42.0 is `42`, and there is never an exponent. */
function encode(value) {
    if (typeof value !== 'number')
        return String(value);
    if (Number.isInteger(value))
        return BigInt(value).toString();
    const text = String(value);
    return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : text;
}

// EXTERNAL MODULE: ./node_modules/undici/index.js
var undici = __webpack_require__(6752);
;// CONCATENATED MODULE: ./build/cloud/transport.js

/** Milliseconds until a connection must stand, TLS included. */
const CONNECT_TIMEOUT = 10_000;
/** Bytes. A page of 100 images is well under 1 MiB. */
const LARGEST_BODY = 8 * 1024 * 1024;
class TransportError extends Error {
    name = 'TransportError';
    advice;
    /** False only when not one byte of the request was sent to the API. */
    reached;
    final;
    constructor({ message, advice, final = false }, reached) {
        super(message);
        this.advice = advice;
        this.reached = reached;
        this.final = final;
    }
}
/** The only effects of src/cloud: HTTP/1.1, so that a request is written at most once and never moved to another stream. */
function createTransport({ userAgent, env, }) {
    const dispatchers = new Map();
    function dispatcherFor(protocol) {
        let dispatcher = dispatchers.get(protocol);
        if (!dispatcher) {
            dispatcher = createDispatcher(protocol, env);
            dispatchers.set(protocol, dispatcher);
        }
        return dispatcher;
    }
    return {
        send({ url, body, timeout, signal }) {
            return new Promise((resolve, reject) => {
                if (signal?.aborted)
                    return reject(signal.reason);
                const target = new URL(url);
                const dispatcher = dispatcherFor(target.protocol);
                const chunks = [];
                let size = 0;
                let status = 0;
                let headers = {};
                let controller;
                let settled = false;
                const settle = (action) => {
                    if (settled)
                        return;
                    settled = true;
                    clearTimeout(timer);
                    signal?.removeEventListener('abort', abort);
                    action();
                };
                // Before the request has started there is no controller: it is then stopped in onRequestStart.
                const stop = (reason) => {
                    settle(() => reject(reason));
                    if (controller && !controller.aborted)
                        controller.abort(new Error('stopped'));
                };
                const abort = () => stop(signal?.reason);
                const timer = setTimeout(() => {
                    const seconds = `${timeout / 1_000} s`;
                    stop(controller
                        ? new TransportError({ message: `no answer from ${target.host} within ${seconds}`, advice: LOST }, true)
                        : new TransportError({ message: `no connection to ${target.host} within ${seconds}`, advice: UNREACHABLE }, false));
                }, timeout);
                signal?.addEventListener('abort', abort, { once: true });
                dispatcher.dispatch({
                    origin: target.origin,
                    path: target.pathname + target.search,
                    method: 'POST',
                    headers: {
                        'content-type': 'application/x-www-form-urlencoded',
                        accept: 'application/json',
                        'user-agent': userAgent,
                    },
                    body,
                }, {
                    // Called right before the first byte is written: what fails earlier was never sent.
                    onRequestStart(started) {
                        controller = started;
                        if (settled)
                            started.abort(new Error('stopped'));
                    },
                    onResponseStart(_, code, fields) {
                        if (code < 200)
                            return;
                        status = code;
                        headers = fields;
                    },
                    onResponseData(_, chunk) {
                        size += chunk.length;
                        if (size > LARGEST_BODY) {
                            const message = `the answer of ${target.host} is larger than ${LARGEST_BODY / 2 ** 20} MiB`;
                            stop(new TransportError({ message, advice: 'Check api-url: this is not what the API sends.' }, true));
                            return;
                        }
                        chunks.push(chunk);
                    },
                    // One turn later: the library frees the connection only then, and the next call should find it.
                    onResponseEnd() {
                        const answer = { status, headers, body: new TextDecoder().decode(Buffer.concat(chunks)) };
                        settle(() => queueMicrotask(() => setImmediate(resolve, answer)));
                    },
                    onResponseError(_, error) {
                        settle(() => {
                            const { reached, ...trouble } = explain(error, target, controller !== undefined);
                            reject(new TransportError(trouble, reached));
                        });
                    },
                });
            });
        },
        async close() {
            await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
        },
    };
}
/** The proxy for the protocol, as curl and the runner choose it: HTTPS_PROXY is not HTTP_PROXY's fallback, nor the reverse. */
function createDispatcher(protocol, env) {
    const name = protocol === 'https:' ? 'https_proxy' : 'http_proxy';
    const proxy = proxyUrl(name, env);
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not hand the signed requests to anybody.
    const tls = { rejectUnauthorized: true };
    return new undici.EnvHttpProxyAgent({
        httpProxy: proxy,
        httpsProxy: proxy,
        noProxy: env.no_proxy || env.NO_PROXY || '',
        allowH2: false,
        connect: { ...tls, timeout: CONNECT_TIMEOUT },
        connectTimeout: CONNECT_TIMEOUT,
        requestTls: tls,
        proxyTls: tls,
        // The transport's own timer bounds the whole request.
        headersTimeout: 0,
        bodyTimeout: 0,
    });
}
/** Empty without a proxy. */
function proxyUrl(name, env) {
    const value = (env[name] || env[name.toUpperCase()] || '').trim();
    if (value === '')
        return '';
    try {
        const url = new URL(value.includes('://') ? value : `http://${value}`);
        decodeURIComponent(url.username + url.password);
        if (/^(https?|socks5):$/.test(url.protocol))
            return url.href;
    }
    catch {
        // Told below: the value may hold a password, and so may the error.
    }
    const message = `the proxy in ${name.toUpperCase()} is not a URL`;
    const advice = `Write ${name.toUpperCase()} as http://host:port or http://user:password@host:port, with special characters percent-encoded.`;
    throw new TransportError({ message, advice, final: true }, false);
}
const UNREACHABLE = 'Check api-url and that the runner may reach it; behind a proxy, check HTTPS_PROXY and NO_PROXY.';
const LOST = 'The network or the API broke off; run the workflow again if it does not recover.';
const UNTRUSTED = 'If a proxy or a private authority signs it, save the certificate of that authority to a file and name the file in the environment variable NODE_EXTRA_CA_CERTS of this step; verification is never turned off.';
const PROXY = 'Check the user and password in HTTPS_PROXY, that the proxy lets this host through, and NO_PROXY.';
/** Only codes, hosts and ports are taken from an error of the library: its own words may hold a proxy's URL. */
function explain(error, target, started) {
    const first = error instanceof AggregateError ? error.errors[0] : error;
    const { code = error.name, hostname, address, port } = first;
    const label = String(code);
    const where = hostname ?? (address ? `${address}:${port}` : target.host);
    if (error.message.includes('Proxy Authentication Required')) {
        return { message: 'the proxy refused its credentials (HTTP 407)', advice: PROXY, reached: false };
    }
    if (started) {
        return {
            message: `the connection to ${target.host} broke before the answer was complete (${label})`,
            advice: LOST,
            reached: true,
        };
    }
    const refusal = /^Proxy response \((\d+)\)/.exec(error.message)?.[1];
    if (refusal) {
        const message = `the proxy refused to connect to ${target.host} (HTTP ${refusal})`;
        return { message, advice: PROXY, reached: false };
    }
    if (label === 'ENOTFOUND' || label === 'EAI_AGAIN') {
        return {
            message: `the name ${where} cannot be resolved (${label})`,
            advice: 'Check the spelling of the host in api-url, or in HTTPS_PROXY, and the DNS of the runner.',
            reached: false,
        };
    }
    if (label === 'ERR_TLS_CERT_ALTNAME_INVALID' || label === 'UND_ERR_PRX_TLS') {
        const message = `the certificate presented for ${target.host} belongs to another host (${label})`;
        return { message, advice: 'Check the host in api-url, or in HTTPS_PROXY.', reached: false };
    }
    if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(label)) {
        const message = `the certificate of ${target.host} is not trusted (${label})`;
        return { message, advice: UNTRUSTED, reached: false };
    }
    if (label === 'EPROTO' || label.startsWith('ERR_SSL_')) {
        const message = `${target.host} does not speak TLS as it should (${label})`;
        return { message, advice: 'Check scheme, host and port in api-url.', reached: false };
    }
    return { message: `no connection to ${where} (${label})`, advice: UNREACHABLE, reached: false };
}

;// CONCATENATED MODULE: ./build/cloud/client.js





/** Milliseconds. The gateway itself answers a copy within 60 s, so giving up earlier would lose the answer. */
const COPY_TIMEOUT = 90_000;
const TIMEOUT = 30_000;
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 20_000;
function createClient(options) {
    const { url, publicKey, privateKey, securityToken, clock, transport, onRetry } = options;
    const gate = createGate(clock);
    async function once(call, params, signal) {
        const fields = flatten({
            ...params,
            Action: call,
            PublicKey: publicKey,
            SecurityToken: securityToken || undefined,
        });
        const signature = sign(fields, privateKey);
        const body = new URLSearchParams({ ...fields, Signature: signature }).toString();
        const secrets = [privateKey, publicKey, securityToken ?? '', signature];
        const about = {
            call,
            region: fields.Region,
            projectId: fields.ProjectId,
            subject: fields.SourceImageId ?? fields.ImageId ?? fields['ImageIds.0'],
        };
        let answer;
        try {
            answer = await transport.send({ url, body, timeout: call === errors/* COPY */.sF ? COPY_TIMEOUT : TIMEOUT, signal });
        }
        catch (error) {
            if (!(error instanceof TransportError))
                throw error;
            const lost = call === errors/* COPY */.sF ? 'ambiguous' : 'retry';
            throw new errors/* CloudError */.K2({
                ...about,
                kind: error.reached ? 'lost' : 'connection',
                verdict: error.final ? 'final' : error.reached ? lost : 'retry',
                meaning: (0,errors/* quote */.hD)(error.message, secrets),
                advice: error.advice,
            });
        }
        const { status } = answer;
        const header = answer.headers['x-ucloud-request-uuid'];
        const requestId = (0,errors/* quote */.hD)(String(Array.isArray(header) ? header[0] : (header ?? '')), secrets, 100) || undefined;
        const parsed = client_parse(answer.body);
        const code = parsed ? (integer(parsed.RetCode) ?? null) : null;
        const known = code === null ? undefined : errors/* RETURN_CODES */.mh[code];
        const success = status >= 200 && status <= 299;
        if (parsed && success && code === 0)
            return { body: parsed, requestId };
        const words = parsed && code !== null ? (0,parse/* text */.Qq)(parsed.Message) : answer.body;
        const outcome = {
            ...about,
            status,
            code: code === 0 ? null : code,
            requestId,
            apiMessage: words ? (0,errors/* quote */.hD)(words, secrets) || null : null,
        };
        if (success && code === null) {
            throw new errors/* CloudError */.K2({
                ...outcome,
                kind: 'unreadable',
                verdict: call === errors/* COPY */.sF ? 'ambiguous' : 'retry',
                meaning: "the answer is not the API's: no JSON with a RetCode",
                advice: 'Check api-url, and whether a proxy or a sign-in page answers in place of the API.',
            });
        }
        const refused = status < 500 && status !== 429;
        if (code !== null && refused && (success || known)) {
            throw new errors/* CloudError */.K2({ ...outcome, kind: 'api', ...(0,errors/* judge */.S4)(call, known ?? errors/* UNKNOWN_CODE */.hH) });
        }
        throw new errors/* CloudError */.K2({ ...outcome, kind: 'http', ...(0,errors/* judgeStatus */.Gh)(call, status) });
    }
    return {
        async call(action, params, { signal, patience = 0 } = {}) {
            const deadline = clock.now() + patience;
            let last;
            for (let attempt = 0;; attempt++) {
                await gate.pass(signal);
                if (last && clock.now() > deadline)
                    throw last;
                const sentAt = clock.now();
                try {
                    const answer = await once(action, params, signal);
                    gate.succeeded(sentAt);
                    return answer;
                }
                catch (error) {
                    if (!(error instanceof errors/* CloudError */.K2))
                        throw error;
                    if (error.slow)
                        gate.throttled(sentAt);
                    if (action === errors/* COPY */.sF || error.verdict !== 'retry')
                        throw error;
                    last = error;
                }
                const jitter = clock.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt);
                const delay = Math.max(jitter, (last.waitSeconds ?? 0) * 1_000, gate.remaining());
                if (clock.now() + delay > deadline)
                    throw last;
                onRetry?.({ error: last, delay });
                await clock.sleep(delay, signal);
            }
        },
    };
}
/** Lists become `Name.0`, `Name.1`; what is undefined is left out. */
function flatten(params) {
    const fields = Object.create(null);
    for (const [name, value] of Object.entries(params)) {
        if (Array.isArray(value)) {
            value.forEach((item, index) => {
                fields[`${name}.${index}`] = item;
            });
        }
        else if (value !== undefined) {
            fields[name] = encode(value);
        }
    }
    return fields;
}
/** Whatever the content type says: gateways label JSON as HTML, and HTML as JSON. */
function client_parse(body) {
    try {
        return (0,parse/* record */.g1)(JSON.parse(body));
    }
    catch {
        return undefined;
    }
}
function integer(value) {
    const parsed = (0,parse/* number */.ai)(value);
    return Number.isInteger(parsed) ? parsed : undefined;
}

// EXTERNAL MODULE: ./build/cloud/images.js
var cloud_images = __webpack_require__(4842);
;// CONCATENATED MODULE: ./build/cloud/index.js




/** The API over HTTP. `close` ends every connection within milliseconds. */
function createCloud({ userAgent, env, ...options }) {
    const transport = createTransport({ userAgent, env });
    const client = createClient({ ...options, transport });
    return {
        describeImages: (query, call) => (0,cloud_images/* describeImages */.Sx)(client, query, call),
        copyCustomImage: (request, call) => (0,cloud_images/* copyCustomImage */.a6)(client, request, call),
        terminateCustomImage: (image, call) => (0,cloud_images/* terminateCustomImage */.KK)(client, image, call),
        getRegions: (call) => getRegions(client, call),
        getProjects: (call) => getProjects(client, call),
        close: () => transport.close(),
    };
}


/***/ })

};
