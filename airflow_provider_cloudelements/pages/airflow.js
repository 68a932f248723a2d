"use strict";
/* What every page shares: a call of Airflow's REST API, with the person's own session and rights. */

class Refusal extends Error {
  constructor(status) {
    super(String(status));
    this.status = status;
  }
}

async function askAirflow(root, method, path, body) {
  let answer;
  try {
    answer = await fetch(`${root}/api/v2${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new Refusal(0);
  }
  // A redirect leads to a page for logging in.
  if (answer.type === "opaqueredirect") throw new Refusal(401);
  if (!answer.ok) throw new Refusal(answer.status);
  try {
    return await answer.json();
  } catch {
    throw new Refusal(0);
  }
}
