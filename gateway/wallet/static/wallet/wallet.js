// Lets the browser's wallet fill in what can also be typed: its address, then its signature.
"use strict";
{
  const form = document.querySelector("form[data-wallet]");
  const button = form?.querySelector("button[data-ask]");
  const status = form?.querySelector("[role=status]");
  const hexadecimal = (text) =>
    "0x" + [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const ask = async () => {
    const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
    if (form.dataset.wallet === "address") {
      form.elements.address.value = address;
    } else {
      form.elements.signature.value = await window.ethereum.request({
        method: "personal_sign",
        params: [hexadecimal(form.elements.message.value), form.elements.signer.value],
      });
    }
    form.requestSubmit();
  };

  if (button && window.ethereum) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.disabled = true;
      ask().catch((error) => {
        // Refused in the wallet, or no account there: the fields can still be filled in by hand.
        status.textContent = error.message;
        button.disabled = false;
      });
    });
  }
}
