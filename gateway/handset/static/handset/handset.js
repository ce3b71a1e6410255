// Makes the phone live: forms go to its JSON face, messages and prompts come in by themselves.
"use strict";
{
  const main = document.getElementById("main");
  const at = (id) => document.getElementById(id);
  const code = main.dataset.code;
  const base = location.pathname;
  let isOpen = at("send").value === "send";

  const ask = async (path, body) => {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(base + path, { cache: "no-store", ...options });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    return data;
  };

  const element = (name, fields, ...children) => {
    const made = Object.assign(document.createElement(name), fields);
    made.append(...children);
    return made;
  };

  const tell = (text, kind = "") => {
    at("notices").replaceChildren(...(text ? [element("p", { className: `notice ${kind}`, textContent: text })] : []));
  };

  const guarded = (work) => async (event) => {
    event.preventDefault();
    const buttons = event.target.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try {
      tell("");
      await work(event);
    } catch (error) {
      tell(error.message, "error");
    }
    for (const button of buttons) button.disabled = false;
    poll();
  };

  const show = (screen, open, text) => {
    isOpen = open;
    at("screen").textContent = screen;
    at("text").value = open ? text : "";
    at("entry").value = open ? "" : code;
    at("entry-label").textContent = open ? "Your answer" : "Number to dial";
    at("send").value = open ? "send" : "dial";
    at("send").textContent = open ? "Send" : "Dial";
  };

  const dialled = (typed) => {
    const stem = code.slice(0, -1);
    const number = typed.replace(/\s/g, "");
    if (number === code) return { text: "" };
    if (number.startsWith(`${stem}*`) && number.endsWith("#")) return { text: number.slice(stem.length + 1, -1), direct: true };
    return null;
  };

  at("keys").addEventListener("submit", guarded(async (event) => {
    const typed = at("entry").value.trim();
    if (event.submitter === at("cancel")) {
      show(`Dial ${code}`, false, "");
      return;
    }
    const body = isOpen ? { text: [at("text").value, typed].filter(Boolean).join("*") } : dialled(typed);
    if (!body) {
      show("Connection problem or invalid MMI code.", false, "");
      return;
    }
    const answer = await ask("dial", body);
    show(answer.screen, answer.open, body.text);
    at("entry").focus();
  }));

  at("sms").addEventListener("submit", guarded(async () => {
    await ask("sms", { text: at("sms-text").value });
    at("sms-text").value = "";
    tell("Sent.");
  }));

  // Only phones in M-Pesa's country have a paybill to pay to.
  at("paybill")?.addEventListener("submit", guarded(async () => {
    const answer = await ask("paybill", { account: at("account").value.trim(), amount: at("amount").value.trim() });
    tell(answer.accepted ? `Paid. Receipt ${answer.receipt}.` : answer.reason, answer.accepted ? "" : "error");
  }));

  const answerPrompt = guarded(async (event) => {
    const form = event.target;
    const isDeclined = event.submitter?.value === "decline";
    const body = isDeclined ? { cancel: true } : { pin: form.elements.pin.value };
    const answer = await ask(`prompts/${form.dataset.prompt}`, body);
    form.remove();
    tell(answer.result);
  });

  const promptForm = ({ id, amount, currency }) => {
    const pin = element("input", { id: `pin-${id}`, name: "pin", type: "password", inputMode: "numeric", maxLength: 6, autocomplete: "off" });
    const button = (value, textContent) => element("button", { name: "action", value, textContent });
    const form = element("form", { className: "prompt" },
      element("p", { textContent: `Mobile money: pay ${currency} ${amount}?` }),
      element("label", { htmlFor: pin.id, textContent: "Mobile money PIN" }), pin,
      element("div", { className: "keys" }, button("pay", "Pay"), button("decline", "Cancel")));
    form.dataset.prompt = id;
    form.addEventListener("submit", answerPrompt);
    return form;
  };

  const showPrompts = (prompts) => {
    const shown = new Map([...at("prompts").children].map((form) => [form.dataset.prompt, form]));
    for (const prompt of [...prompts].reverse()) {
      if (!shown.delete(prompt.id)) at("prompts").prepend(promptForm(prompt));
    }
    for (const form of shown.values()) form.remove();
  };

  const showMessages = (messages) => {
    const known = new Set([...at("inbox").children].map((item) => item.dataset.id));
    for (const message of [...messages].reverse()) {
      if (known.has(message.id)) continue;
      const sent = new Date(message.at);
      const time = element("time", { dateTime: message.at, textContent: sent.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) });
      const item = element("li", {}, element("p", { textContent: message.text }), element("p", { className: "age" }, `${message.from} · `, time));
      item.dataset.id = message.id;
      at("inbox").prepend(item);
    }
    at("no-messages").hidden = at("inbox").children.length > 0;
  };

  let isPolling = false;
  let isAway = false;
  const poll = async () => {
    if (document.hidden || isPolling) return;
    isPolling = true;
    try {
      const [prompts, messages] = await Promise.all([ask("prompts"), ask("messages")]);
      showPrompts(prompts);
      showMessages(messages);
      if (isAway) tell("");
      isAway = false;
    } catch (error) {
      isAway = true;
      tell(error.message, "error");
    }
    isPolling = false;
  };

  for (const key of "123456789*0#") {
    const button = element("button", { type: "button", textContent: key });
    button.addEventListener("click", () => {
      at("entry").value = isOpen || at("entry").value !== code ? at("entry").value + key : key;
    });
    at("pad").append(button);
  }
  at("pad").hidden = false;
  at("look").hidden = true;
  for (const form of at("prompts").children) form.addEventListener("submit", answerPrompt);
  setInterval(poll, 1000 * main.dataset.pollSeconds);
  document.addEventListener("visibilitychange", poll);
  poll();
}
