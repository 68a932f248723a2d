"use strict";
/* The vendor sends a person here after the consent, with a code and a state in the address. This page looks for
   the question that was asked with this state, and answers it by Airflow's REST API, with the person's own
   session and rights. If it cannot, it shows what to copy and where to. */
(() => {
  // Read once, and taken out of the address and the history before anything else happens.
  const address = location.href;
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);

  const given = (name) => query.get(name) ?? fragment.get(name) ?? "";
  const code = given("code");
  const error = given("error");
  const state = given("state");

  // The names that the operator gives; operators/consent.py and operators/_parts/consent.py.
  const FIELD = "authorization_code";
  const STATE_IN_SCHEMA = "x-cloudelements-state";
  const WAITING = ["deferred", "awaiting_input"];
  const UNDER_WAY = ["scheduled", "queued", "running", "restarting", ...WAITING];
  const PAUSE = 1000;
  // How often to look whether a question is about to wait, and what came of an answer on a busy Airflow.
  const PATIENCE = 30;
  const FOLLOWED = 200;

  const root = location.pathname.replace(/\/cloudelements\/consent\/?$/, "");
  const part = (id) => document.getElementById(id);
  const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // -- what the page shows: texts only, never markup ------------------------------------------------------------

  function show(title, message, links = []) {
    document.title = title;
    part("title").textContent = title;
    part("message").textContent = message;
    part("links").replaceChildren(...links);
    part("by-hand").hidden = true;
  }

  function link(text, path) {
    const anchor = document.createElement("a");
    anchor.textContent = text;
    anchor.href = root + path;
    anchor.rel = "noreferrer";
    return anchor;
  }

  function button(text, action) {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = text;
    one.addEventListener("click", () => {
      one.disabled = true;
      action();
    });
    return one;
  }

  function byHand(where) {
    // The whole address: the task compares its state, which a code alone would not bring.
    part("address").value = address;
    part("where").textContent = where;
    part("by-hand").hidden = false;
  }

  part("copy").addEventListener("click", async () => {
    part("address").select();
    try {
      await navigator.clipboard.writeText(address);
      part("copied").textContent = "Copied.";
    } catch {
      part("copied").textContent = "Press Ctrl-C or ⌘-C.";
    }
  });

  const PASTE = "Paste it into the field “Address or code” of the task that asks: in Airflow, under Required Actions. " +
    "It works once, and for some minutes only.";
  const again = () => button("Try again", begin);

  // -- Airflow's REST API ---------------------------------------------------------------------------------------

  const call = (method, path, body) => askAirflow(root, method, path, body);

  const taskPath = (task) =>
    `/dags/${encodeURIComponent(task.dag_id)}/dagRuns/${encodeURIComponent(task.dag_run_id)}` +
    `/taskInstances/${encodeURIComponent(task.task_id)}/${encodeURIComponent(task.map_index)}/hitlDetails`;

  const runPage = (task) =>
    `/dags/${encodeURIComponent(task.dag_id)}/runs/${encodeURIComponent(task.dag_run_id)}`;

  const taskPage = (task) =>
    `${runPage(task)}/tasks/${encodeURIComponent(task.task_id)}` +
    (task.map_index >= 0 ? `/mapped/${encodeURIComponent(task.map_index)}` : "");

  async function question() {
    // The link stands in the question's text, so Airflow finds the few that may be meant. Only the state that
    // the operator wrote beside the field decides.
    const found = await call(
      "GET",
      `/dags/~/dagRuns/~/hitlDetails?body_search=${encodeURIComponent(state)}&order_by=-created_at&limit=50`,
    );
    const ours = found.hitl_details.filter((one) => one.params?.[FIELD]?.schema?.[STATE_IN_SCHEMA] === state);
    return ours.find((one) => !one.response_received && UNDER_WAY.includes(one.task_instance.state)) ?? ours[0];
  }

  async function waiting() {
    // A task writes its question a moment before it waits.
    for (let left = PATIENCE; ; left -= 1) {
      const one = await question();
      const moving = one && !one.response_received && UNDER_WAY.includes(one.task_instance.state);
      if (!moving || WAITING.includes(one.task_instance.state) || left === 0) return one;
      await sleep(PAUSE);
    }
  }

  // -- the way from the address to the answer -------------------------------------------------------------------

  async function begin() {
    if (!code && !error) {
      show("Nothing to do here", "A vendor sends a person to this page after a consent. There is no code in the address " +
        "(this page takes it out, so reloading does not bring it back).\nOpen the link of the task that asks once more.",
        [link("Required actions", "/required_actions?response_received=false")]);
      return;
    }
    if (!/^[A-Za-z0-9_-]{16,128}$/.test(state)) {
      show("This consent did not begin in Airflow", "The address holds no state that a task made, so nothing was sent. " +
        "Open the link of the task that asks.", [link("Required actions", "/required_actions?response_received=false")]);
      return;
    }
    show("One moment …", "Looking for the task that asked for this consent.");
    try {
      decide(await waiting());
    } catch (refusal) {
      explain(refusal);
    }
  }

  function decide(one) {
    if (!one) {
      show("No task waits for this consent", "No question that you may see was asked with this link, so nothing was sent. " +
        "The link may be an old one, or you may lack the right to see its DAG.",
        [link("Required actions", "/required_actions?response_received=false"), again()]);
      if (!error) byHand(`If a task asks for it elsewhere: ${PASTE}`);
      return;
    }
    const task = one.task_instance;
    if (one.response_received) {
      const who = one.responded_by_user?.name;
      const same = one.params_input?.[FIELD] === address;
      show(same ? "Airflow has this consent already" : "The question is answered already",
        `${who ? `${who} has answered it` : "It was answered"}. Nothing was sent now: a consent works once.`,
        [link("See the run", runPage(task))]);
      return;
    }
    if (!UNDER_WAY.includes(task.state)) {
      show("The task waits no longer", `Its state is: ${task.state ?? "none"}. Nothing was sent, as Airflow would forget it. ` +
        "Start a new run to ask for consent again.", [link("See the run", runPage(task))]);
      return;
    }
    if (!WAITING.includes(task.state)) {
      show("The task does not wait yet", "Nothing was sent. Try again in a moment.", [again(), link("See the task", taskPage(task))]);
      return;
    }
    if (error) {
      show("The access was not allowed", `The vendor says: ${error}${detail()}\nNothing was sent, and the task still waits. ` +
        "Open its link once more to allow the access, or end the run.",
        [link("See the task", `${taskPage(task)}/required_actions`), button("End the run", () => hand(one))]);
      return;
    }
    hand(one);
  }

  function detail() {
    const text = given("error_description").slice(0, 500);
    return text ? ` (${text})` : ".";
  }

  async function hand(one) {
    const task = one.task_instance;
    show("One moment …", "Handing the answer to the task.");
    try {
      await call("PATCH", taskPath(task), { chosen_options: [one.options[0]], params_input: { [FIELD]: address } });
      await follow(task);
    } catch (refusal) {
      explain(refusal, task);
    }
  }

  async function follow(task) {
    // Airflow says yes to an answer that it then forgets, and to two at the same moment. So look what came of it.
    const run = [link("See the run", runPage(task))];
    show("Airflow has the consent", "The task takes it now. You can close this page.", run);
    for (let looked = 0; looked < FOLLOWED; looked += 1) {
      const now = await call("GET", taskPath(task)).catch(() => null);
      if (now) {
        const ours = now.params_input?.[FIELD] === address;
        if (now.response_received && !ours) {
          show("Another answer counts", "Somebody answered at the same moment, and Airflow kept that answer. Yours was not used.", run);
          return;
        }
        if (!now.response_received && WAITING.includes(now.task_instance.state)) {
          show("The task asks again", "It did not take the answer; its log says why. Open its link once more.",
            [link("See the task", `${taskPage(task)}/required_actions`)]);
          return;
        }
        if (now.task_instance.state === "success") {
          show("Airflow has the consent", "The run goes on. You can close this page.", run);
          return;
        }
        if (!UNDER_WAY.includes(now.task_instance.state)) {
          show(error ? "The run ends" : "The task did not take the answer", `Its state is: ${now.task_instance.state ?? "none"}. ` +
            "Start a new run to ask for consent again.", run);
          return;
        }
      }
      await sleep(looked < PATIENCE ? PAUSE : 3 * PAUSE);
    }
  }

  function explain(refusal, task) {
    const where = task ? [link("See the task", `${taskPage(task)}/required_actions`)] : [];
    if (refusal.status === 401) {
      const login = link("Log in", "/");
      login.target = "_blank";
      show("You are not logged in to Airflow here", `Log in at ${location.host} in another tab, then try again. ` +
        "Leave this page open: it holds the consent, which works once and for some minutes only.", [login, again()]);
    } else if (refusal.status === 403) {
      show("You may not answer this question", "Your Airflow user has no right to it, so nothing was sent. " +
        "Somebody who has the right can do it for you.", where);
    } else if (refusal.status === 409) {
      show("The question is answered already", "Somebody was faster. Nothing was sent: a consent works once.", where);
      return;
    } else if (refusal.status === 404) {
      show("The question is gone", "The task was cleared or deleted, so nothing was sent. Start a new run to ask for consent again.");
      return;
    } else {
      show("Airflow did not answer as expected", `${refusal.status ? `It said ${refusal.status}. ` : "It cannot be reached. "}` +
        "It may not have taken the answer.", [again(), ...where]);
    }
    if (!error) byHand(PASTE);
  }

  begin();
})();
