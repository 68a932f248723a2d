"use strict";
/* All instances, as the last checks found them. The page reads Airflow's REST API with the person's own session,
   so a person sees what Airflow shows that person, and nothing else. It writes nothing. */
(() => {
  // What the operators push; operators/health.py and operators/fleet.py.
  const CHECK = "CloudElementsCheckInstancesOperator";
  const PLAN = "CloudElementsPlanInstancesOperator";
  const VERSION = 1;
  const HEALTHY = "healthy";
  const MISSING = "missing";
  const SIGNS = { __proto__: null, [HEALTHY]: "✓", disabled: "○", invalid: "✕", "needs re-authentication": "↻", unreachable: "⚠", [MISSING]: "∅" };
  const ENDED = ["success", "failed"];

  // How many of the last tasks the page looks at, how many checks a trend shows, and how many calls run at once.
  const TASKS = 100;
  const TREND = 12;
  const AT_ONCE = 6;
  const ROW = 32;

  const root = location.pathname.replace(/\/cloudelements\/instances\/?$/, "");
  const part = (id) => document.getElementById(id);
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  const COLUMNS = [
    ["connection", "Connection"], ["name", "Name"], ["id", "Id"], ["element", "Element"], ["state", "State"],
    ["events", "Events"], ["rate", "Events an hour"], ["queued", "Queued"], ["tags", "Tags"], ["at", "Checked"], ["detail", "What the platform said"],
  ];
  const CHOICES = ["state", "connection", "element"];
  // Numbers that a check reports if its DAG asks for them: the column, and the key in row and summary.
  const TRAFFIC = { rate: "events_per_hour", queued: "queued" };
  const NOT_COUNTED = "not counted";
  const NOT_KNOWN = "not known";

  let rows = [];
  let shown = [];
  let sight = [-1, -1];
  let view = { q: "", state: "", connection: "", element: "", sort: "state", down: false };

  // -- texts only, never markup ---------------------------------------------------------------------------------

  function make(tag, text, name) {
    const one = document.createElement(tag);
    if (text !== undefined) one.textContent = text;
    if (name) one.className = name;
    return one;
  }

  function link(text, address) {
    const anchor = make("a", text);
    anchor.href = address;
    anchor.rel = "noreferrer";
    return anchor;
  }

  function button(text, action) {
    const one = make("button", text);
    one.type = "button";
    one.addEventListener("click", action);
    return one;
  }

  function say(message, ...links) {
    part("message").textContent = message;
    part("links").replaceChildren(...links);
  }

  const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
  const told = (counts) => Object.entries(counts).filter(([, count]) => count > 0)
    .map(([name, count]) => `${SIGNS[name] ? `${SIGNS[name]} ` : ""}${count.toLocaleString()} ${name}`).join(", ");
  const when = (date) => (Number.isNaN(date.valueOf()) ? "" : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" }));

  // -- Airflow's REST API ---------------------------------------------------------------------------------------

  const get = (path) => askAirflow(root, "GET", path);
  const quote = encodeURIComponent;
  const runPath = (task) => `/dags/${quote(task.dag_id)}/dagRuns/${quote(task.dag_run_id)}`;
  const page = (task) => `${root}/dags/${quote(task.dag_id)}/runs/${quote(task.dag_run_id)}/tasks/${quote(task.task_id)}` +
    (task.map_index >= 0 ? `/mapped/${quote(task.map_index)}` : "");

  async function ended(operator) {
    const order = `operator=${operator}&order_by=-end_date&limit=${TASKS}`;
    const states = ENDED.map((state) => `&state=${state}`).join("");
    const found = await get(`/dags/~/dagRuns/~/taskInstances?${order}${states}`);
    return found.task_instances.filter((task) => task.end_date && ENDED.includes(task.state));
  }

  /** One XCom by its exact path: a list of XComs by key would be read whole by the API server. */
  async function xcom(task, key) {
    const path = `${runPath(task)}/taskInstances/${quote(task.task_id)}/xcomEntries/${quote(key)}`;
    try {
      return (await get(`${path}?map_index=${quote(task.map_index)}`)).value;
    } catch (refusal) {
      if (refusal.status === 404) return undefined; // the task pushed none, or it was cleared
      throw refusal;
    }
  }

  async function each(items, work) {
    const left = [...items.entries()];
    const done = new Array(items.length);
    const next = async () => {
      for (let one = left.shift(); one; one = left.shift()) done[one[0]] = await work(one[1]);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    return done;
  }

  function grouped(tasks) {
    const groups = new Map();
    for (const task of tasks) {
      const name = JSON.stringify([task.dag_id, task.task_id, task.map_index]);
      groups.set(name, [...(groups.get(name) ?? []), task]);
    }
    return [...groups.values()];
  }

  // -- what the checks found ------------------------------------------------------------------------------------

  const plain = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

  function summaryOf(value) {
    if (!plain(value) || value.version !== VERSION || !plain(value.counts)) return undefined;
    const counts = Object.fromEntries(Object.entries(value.counts).filter(([, count]) => Number.isInteger(count)));
    return { ...value, counts, at: new Date(text(value.at)) };
  }

  async function check(group) {
    const recent = group.slice(0, TREND);
    const pushed = await each(recent, (task) => xcom(task, "summary"));
    const summaries = pushed.map(summaryOf);
    // The newest one may be of another version of the provider, or no whole report.
    const unread = pushed[0] !== undefined && !summaries[0];
    const place = summaries.findIndex(Boolean);
    if (place < 0) return { group, unread, trend: [] };
    const report = await xcom(recent[place], "return_value");
    return { group, unread, task: recent[place], summary: summaries[place], report, trend: summaries.filter(Boolean).reverse() };
  }

  /** A number, or why there is none: the check did not count, or the platform did not say. A row leaves out a 0. */
  function counted(summary, row, key) {
    if (Number.isFinite(summary[key])) return Number.isFinite(row[key]) ? row[key] : 0;
    return summary[key] === undefined ? NOT_COUNTED : NOT_KNOWN;
  }

  const traffic = (summary, row) =>
    Object.fromEntries(Object.entries(TRAFFIC).map(([column, key]) => [column, counted(summary, row, key)]));

  function rowsOf({ task, summary, report }) {
    if (!task || !plain(report)) return [];
    const common = { connection: text(summary.connection), at: summary.at, task, console: text(summary.console_url) };
    const listed = (Array.isArray(report.instances) ? report.instances : []).filter(plain).map((one) => ({
      ...common,
      id: text(one.id),
      name: text(one.name),
      element: text(one.element),
      state: text(one.state),
      events: one.events === true ? "on" : one.events === false ? "off" : "",
      ...traffic(summary, one),
      tags: Array.isArray(one.tags) ? one.tags.map(text).join(", ") : "",
      detail: text(one.detail),
    }));
    const gone = (Array.isArray(report.missing) ? report.missing : []).map((id) => ({
      ...common, id: text(id), name: "", element: "", state: MISSING, events: "", rate: "", queued: "", tags: "", detail: "does not exist",
    }));
    return [...listed, ...gone];
  }

  /** Several checks may tell of one instance: the newest one counts. */
  function newest(all) {
    const found = new Map();
    for (const row of all) {
      const name = JSON.stringify([row.connection, row.id]);
      if (!found.has(name) || (found.get(name).at.valueOf() || 0) < row.at.valueOf()) found.set(name, row);
    }
    return [...found.values()];
  }

  const unhealthy = (counts) => Object.entries(counts).reduce((sum, [state, count]) => sum + (state === HEALTHY ? 0 : count), 0);

  function card({ group, unread, task, summary, report, trend }) {
    const one = make("article");
    const latest = group[0];
    const title = make("h2");
    title.append(link(`${latest.dag_id} / ${latest.task_id}${latest.map_index >= 0 ? ` [${latest.map_index}]` : ""}`, page(latest)));
    one.append(title);
    if (unread) {
      one.append(make("p", "⚠ This page cannot read the report of the last check. It is of another version of the provider, or not whole." +
        (task ? " What follows is of the one before." : ""), "warn"));
    }
    if (!task) {
      if (!unread) one.append(make("p", "✕ No check of it ended with a report.", "bad"));
      return one;
    }
    const scope = ["tag", "element"].filter((name) => summary[name]).map((name) => `${name} ${text(summary[name])}`).join(", ");
    one.append(make("p", `Connection ${text(summary.connection)}${scope && `, ${scope}`}. ${when(summary.at)}`, "faint"));
    one.append(make("p", told(summary.counts) || "No instances."));
    if (summary.missing > 0) one.append(make("p", `${SIGNS[MISSING]} ${plural(summary.missing, "instance")} missing`, "bad"));
    if (latest.state === "failed") {
      one.append(make("p", task === latest ? "✕ The check failed, for the states that it must not find." :
        unread ? "✕ The last check failed." : "✕ The last check failed without a report. This is the one before.", "bad"));
    }
    if (!plain(report)) one.append(make("p", "⚠ Its report is gone: only the counts are known.", "warn"));
    else if (summary.listed < summary.checked) one.append(make("p", "It lists only instances that are not healthy.", "faint"));
    one.append(...trafficOf(summary), ...drawn(trend));
    return one;
  }

  function trafficOf(summary) {
    const [rate, queued] = Object.values(TRAFFIC).map((key) => counted(summary, summary, key));
    if (rate === NOT_COUNTED && queued === NOT_COUNTED) return [];
    const events = Number.isFinite(rate) ? `${rate.toLocaleString()} events an hour` : `Events an hour: ${rate}`;
    const more = summary.queue_read === false ? "or more " : "";
    const waiting = Number.isFinite(queued) ? `${queued.toLocaleString()} ${more}queued deliveries` : `queued deliveries: ${queued}`;
    return [make("p", `${events}, ${waiting}`, queued > 0 ? "warn" : "faint")];
  }

  function drawn(trend) {
    if (trend.length < 2) return [];
    const counts = trend.map((summary) => unhealthy(summary.counts));
    const most = Math.max(...counts, 1);
    const bars = make("div", undefined, "trend");
    bars.setAttribute("aria-hidden", "true");
    for (const count of counts) {
      const bar = make("span", undefined, count ? "bad" : "");
      bar.style.height = `${3 + (25 * count) / most}px`;
      bars.append(bar);
    }
    return [bars, make("p", `Not healthy, in the last ${counts.length} checks: ${counts.join(", ")}`, "faint")];
  }

  async function planned() {
    const groups = grouped(await ended(PLAN));
    return each(groups, async (group) => ({ task: group[0], counts: await xcom(group[0], "counts") }));
  }

  function planCard({ task, counts }) {
    const one = make("article");
    const title = make("h2");
    title.append(link(`Plan ${task.dag_id} / ${task.task_id}`, page(task)));
    one.append(title, make("p", when(new Date(task.end_date)), "faint"));
    one.append(plain(counts) ? make("p", told(counts) || "Nothing to change.") : make("p", "✕ It ended without a plan.", "bad"));
    return one;
  }

  // -- the table: only the rows in sight are in the page --------------------------------------------------------

  const amount = (value) => (Number.isFinite(value) ? value : -1);

  const compared = (one, other, column) =>
    column === "at" ? one.at - other.at : column in TRAFFIC ? amount(one[column]) - amount(other[column]) :
      collator.compare(one[column], other[column]);

  // What needs a person comes first.
  const rank = (row) => (row.state === HEALTHY ? 1 : 0);

  function order(one, other) {
    const way = view.down ? -1 : 1;
    const first = view.sort === "state" ? rank(one) - rank(other) || compared(one, other, "state") : compared(one, other, view.sort);
    return way * first || compared(one, other, "name") || compared(one, other, "id");
  }

  function select() {
    const words = view.q.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.filter((row) => CHOICES.every((choice) => !view[choice] || row[choice] === view[choice]) &&
      words.every((word) => row.haystack.includes(word))).sort(order);
    part("count").textContent = shown.length === rows.length ? plural(rows.length, "instance") :
      `${shown.length.toLocaleString()} of ${plural(rows.length, "instance")}`;
    part("space").style.height = `${shown.length * ROW}px`;
    part("window").style.setProperty("--rows", `${shown.length * ROW}px`);
    part("table").setAttribute("aria-rowcount", String(shown.length + 1));
    sight = [-1, -1];
    draw();
  }

  function cell(row, column) {
    const one = make("div");
    one.setAttribute("role", "cell");
    const value = column === "at" ? when(row.at) : row[column];
    if (column === "state") {
      one.textContent = `${SIGNS[value] ?? "?"} ${value}`;
      one.className = value === HEALTHY ? "good" : value === "disabled" ? "warn" : "bad";
    } else if (column === "id" && row.address) {
      one.append(link(value, row.address));
    } else if (column === "at") {
      one.append(link(value, page(row.task)));
    } else if (column in TRAFFIC) {
      one.textContent = typeof value === "number" ? value.toLocaleString() : value;
      one.className = typeof value !== "number" ? "faint" : column === "queued" && value > 0 ? "warn number" : "number";
    } else {
      one.textContent = value;
    }
    one.title = column === "at" ? row.at.toString() : value;
    return one;
  }

  function draw() {
    const box = part("window");
    const from = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
    const to = Math.min(shown.length, from + Math.ceil(box.clientHeight / ROW) + 16);
    if (sight[0] === from && sight[1] === to) return;
    sight = [from, to];
    part("space").replaceChildren(...shown.slice(from, to).map((row, index) => {
      const line = make("div", undefined, "row");
      line.setAttribute("role", "row");
      line.setAttribute("aria-rowindex", String(from + index + 2));
      line.style.transform = `translateY(${(from + index) * ROW}px)`;
      line.append(...COLUMNS.map(([column]) => cell(row, column)));
      return line;
    }));
  }

  function head() {
    part("head").replaceChildren(...COLUMNS.map(([column, title]) => {
      const one = make("div");
      one.setAttribute("role", "columnheader");
      const sorted = view.sort === column;
      one.setAttribute("aria-sort", sorted ? (view.down ? "descending" : "ascending") : "none");
      const toggle = button(`${title}${sorted ? (view.down ? " ▼" : " ▲") : ""}`, () => {
        change({ sort: column, down: sorted && !view.down });
        part("head").children[COLUMNS.findIndex(([name]) => name === column)].firstChild.focus();
      });
      one.append(toggle);
      return one;
    }));
  }

  function change(wishes) {
    view = { ...view, ...wishes };
    const query = new URLSearchParams();
    for (const name of ["q", ...CHOICES]) if (view[name]) query.set(name, view[name]);
    if (view.sort !== "state" || view.down) query.set("sort", `${view.down ? "-" : ""}${view.sort}`);
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    head();
    select();
  }

  function fromAddress() {
    const query = new URLSearchParams(location.search);
    for (const name of ["q", ...CHOICES]) view[name] = query.get(name) ?? "";
    const sort = query.get("sort") ?? "state";
    view.down = sort.startsWith("-");
    view.sort = COLUMNS.some(([column]) => column === sort.replace(/^-/, "")) ? sort.replace(/^-/, "") : "state";
    part("q").value = view.q;
  }

  function fillChoices() {
    for (const name of CHOICES) {
      const values = [...new Set([...rows.map((row) => row[name]), view[name]])].filter(Boolean).sort(collator.compare);
      const all = make("option", "all");
      all.value = "";
      part(name).replaceChildren(all, ...values.map((value) => make("option", value)));
      part(name).value = view[name];
    }
  }

  // A spreadsheet takes a cell that begins so for a formula; people chose the names.
  const quoted = (value) => `"${(/^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)).replaceAll('"', '""')}"`;

  function save() {
    const lines = [COLUMNS.map(([column]) => column), ...shown.map((row) => COLUMNS.map(([column]) =>
      (column !== "at" ? row[column] : Number.isNaN(row.at.valueOf()) ? "" : row.at.toISOString())))];
    const anchor = make("a");
    anchor.href = URL.createObjectURL(new Blob(["\ufeff", lines.map((line) => line.map(quoted).join(",")).join("\r\n"), "\r\n"],
      { type: "text/csv;charset=utf-8" }));
    anchor.download = "cloudelements-instances.csv";
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
  }

  // -- the way from the address to the table --------------------------------------------------------------------

  /** The instance's page in the console, if the connection says where that is. Links lead to http(s) only. */
  function address(row) {
    if (!row.console.includes("{id}") || !/^[0-9]+$/.test(row.id)) return "";
    try {
      const found = new URL(row.console.replaceAll("{id}", row.id));
      return ["http:", "https:"].includes(found.protocol) ? found.href : "";
    } catch {
      return "";
    }
  }

  async function load() {
    say("One moment …");
    let checks;
    let plans;
    try {
      checks = await each(grouped(await ended(CHECK)), check);
      plans = await planned();
    } catch (refusal) {
      explain(refusal);
      return;
    }
    rows = newest(checks.flatMap(rowsOf));
    for (const row of rows) {
      row.address = address(row);
      row.haystack = [row.id, row.name, row.element, row.state, row.tags, row.detail, row.connection].join("\n").toLocaleLowerCase();
    }
    part("checks").replaceChildren(...checks.map(card));
    part("plans").replaceChildren(...plans.map(planCard));
    part("checks").hidden = checks.length === 0;
    part("plans").hidden = plans.length === 0;
    part("fleet").hidden = checks.length === 0;
    fillChoices();
    change({});
    if (checks.length) say("As the last checks found them.");
    else say(`No check has ended yet that you may see. A DAG with the operator ${CHECK} makes one.`, button("Reload", load));
  }

  function explain(refusal) {
    for (const id of ["checks", "plans", "fleet"]) part(id).hidden = true;
    const again = button("Try again", load);
    if (refusal.status === 401) {
      const login = link("Log in", `${root}/`);
      login.target = "_blank";
      say("You are not logged in to Airflow here. Log in in another tab, then try again.", login, again);
    } else if (refusal.status === 403) {
      say("Your Airflow user may not see the tasks or their XComs, so there is nothing to show. Somebody who runs Airflow can give " +
        "the right to read task instances and XComs.", again);
    } else {
      say(`Airflow did not answer as expected. ${refusal.status ? `It said ${refusal.status}.` : "It cannot be reached."}`, again);
    }
  }

  let waiting;
  part("filters").addEventListener("submit", (event) => event.preventDefault());
  part("q").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => change({ q: part("q").value.trim() }), 120);
  });
  for (const name of CHOICES) part(name).addEventListener("change", () => change({ [name]: part(name).value }));
  part("csv").addEventListener("click", save);
  part("reload").addEventListener("click", load);
  part("window").addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", draw);

  fromAddress();
  load();
})();
