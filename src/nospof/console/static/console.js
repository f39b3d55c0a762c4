// The pages' own script: each act is a call of the web API that anybody can make. The pages read without it.
"use strict";

const one = (name) => document.querySelector(name);
const tell = (says) => { one("#told").textContent = says; };
const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function call(method, path, body, more = {}) {
  const headers = { "X-Nospof-Page": "1", "Content-Type": "application/json", ...more };
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const said = answer.status === 204 ? {} : await answer.json();
  if (answer.ok) return said;
  throw new Error(said.error ? said.error.message : `HTTP ${answer.status}`);
}

// What a button asks for once is asked for once, however often it is pressed.
async function once(button, act) {
  button.disabled = true;
  tell("Asked; one moment ...");
  try {
    await act();
    tell("");
  } catch (error) {
    tell(error.message);
  } finally {
    button.disabled = false;
  }
}

function read(field) {
  if (field.type === "number") return Number(field.value);
  if (!field.dataset.type.startsWith("tuple[")) return field.value;
  const parts = field.value.split(",").map((part) => part.trim()).filter(Boolean);
  return field.dataset.type.startsWith("tuple[int") ? parts.map(Number) : parts;
}

function asked(form) {
  const request = {};
  for (const field of form.querySelectorAll("[name]")) {
    if (field.dataset.type === "bool") {
      if (field.checked) request[field.name] = true;
    } else if (field.value !== field.dataset.usual && (field.value || field.type !== "number")) {
      request[field.name] = read(field);
    }
  }
  return form.dataset.procedure ? { procedure: form.dataset.procedure, request } : request;
}

function list(name, lines) {
  one(name).replaceChildren(...lines.map((says) => {
    const line = document.createElement("li");
    line.textContent = says;
    return line;
  }));
}

async function plan(form) {
  const body = asked(form);
  one("#plan").hidden = true;
  const shown = form.dataset.plan ? await call("POST", form.dataset.plan, body) : { says: "", calls: [] };
  one("#plan-says").textContent = shown.says;
  const off = shown.expected_seconds_off;
  const facts = Object.entries(shown.details || {}).map(([name, says]) => `${name}: ${says}`);
  list("#facts", off ? [`${off[0]} to ${off[1]} s off, as far as can be expected`, ...facts] : facts);
  list("#calls", shown.calls.map((each) => `${each.service}:${each.operation}: ${each.says}`));
  list("#warnings", shown.warnings || []);
  one("#know").hidden = !(shown.warnings || []).length;
  const typed = form.dataset.procedure ? await call("POST", "/api/v1/command-lines", body) : null;
  one("#command").textContent = typed ? typed.command : `nospof runs undo ${location.pathname.split("/")[2]}${body.clients_are_back ? " --clients-are-back" : ""}`;
  one("#call").textContent = `POST ${form.dataset.do}\nIdempotency-Key: ${key}\n\n${JSON.stringify(body, null, 2)}`;
  one("#plan").hidden = false;
  one("#plan h2").focus();
  form.dataset.shown = JSON.stringify(body);
}

function show(run) {
  one("#run").dataset.state = run.state;
  one("#state").textContent = run.state;
  one("#state").className = `tag ${run.state}`;
  one("#error").textContent = run.error;
  one("#steps").replaceChildren(...run.steps.map((step) => {
    const line = document.createElement("li");
    const took = document.createElement("span");
    took.className = "soft";
    took.textContent = ` ${(step.finished_at - step.started_at).toFixed(1)} s`;
    line.textContent = step.name;
    if (step.error) line.className = "bad";
    line.append(took);
    return line;
  }));
  offer(run.state);
}

function offer(state) {
  for (const act of document.querySelectorAll("[data-in]")) act.hidden = !act.dataset.in.split(" ").includes(state);
}

// What the step under way is doing; its load is drawn by the server, which escapes what it draws.
async function showNow(id, now) {
  const line = one("#now");
  line.firstChild.textContent = `${now.step} `;
  line.lastElementChild.textContent = now.done === null ? now.says : `${now.says} ${Math.round(100 * now.done)} %`;
  line.hidden = !now.step;
  if (now.loads === Number(one("#load").dataset.looks)) return;
  one("#load").dataset.looks = now.loads;
  const drawn = await loaded(`/api/v1/runs/${id}/load.svg`);
  if (drawn) one("#load").innerHTML = drawn;
}

function follow(id) {
  const events = new EventSource(`/api/v1/runs/${id}/events`);
  events.addEventListener("error", () => {
    tell("The server does not answer; it is asked again. The run goes on whatever happens to the server.");
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000, id);  // an answer that was none
  });
  events.addEventListener("run", (event) => {
    tell("");
    show(JSON.parse(event.data));
  });
  events.addEventListener("now", (event) => showNow(id, JSON.parse(event.data)));
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
}

// Parts of a page that are asked for again while somebody looks at it. A picture that cannot be had stays.
async function loaded(path) {
  try {
    const answer = await fetch(path);
    return answer.ok ? await answer.text() : "";
  } catch {
    return "";
  }
}
async function refresh(part) {
  if (!document.hidden) {
    const page = new DOMParser().parseFromString(await loaded(part.dataset.part), "text/html");
    const found = page.querySelector("#part");
    if (found) part.replaceChildren(...found.childNodes);
    else part.textContent = "It cannot be asked now; tried again in a moment.";
  }
  setTimeout(refresh, 20000, part);
}
async function redraw(path) {
  const drawn = document.hidden ? "" : await loaded(path);
  if (drawn) one("svg.picture").outerHTML = drawn;
  setTimeout(redraw, 60000, path);
}
if (one("[data-part]")) refresh(one("[data-part]"));
if (one("[data-picture]") && one("svg.picture")) setTimeout(redraw, 60000, one("[data-picture]").dataset.picture);

if (one("#log-in")) one("#log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  once(event.submitter, async () => {
    await call("POST", "/api/v1/session", { token: one("#token").value.trim() });
    const next = new URL(new URLSearchParams(location.search).get("next") || "/services", location.origin);
    location.assign(next.origin === location.origin ? next.href : "/services");
  });
});
if (one("#log-out")) one("#log-out").addEventListener("click", (event) => once(event.target, async () => {
  await call("DELETE", "/api/v1/session");
  location.assign("/login");
}));
const form = one("#act");
if (form) form.addEventListener("submit", (event) => { event.preventDefault(); once(event.submitter, () => plan(form)); });
if (one("#do")) one("#do").addEventListener("click", (event) => once(event.target, async () => {
  if (JSON.stringify(asked(form)) !== form.dataset.shown) throw new Error("What is asked was changed since it was shown: show it again.");
  const said = await call("POST", form.dataset.do, asked(form), { "Idempotency-Key": key });
  location.assign(`/runs/${said.run_id}`);
}));
for (const button of document.querySelectorAll("button[data-post]")) button.addEventListener("click", () => once(button, async () => {
  const needs = button.dataset.post.endsWith("/stop") ? {} : { "Idempotency-Key": key };
  await call("POST", button.dataset.post, undefined, needs);
  location.reload();
}));
if (one("#run")) {
  offer(one("#run").dataset.state);
  if (["running", "waiting", "elsewhere"].includes(one("#run").dataset.state)) follow(one("#run").dataset.run);
}
