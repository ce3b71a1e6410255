// Lets the browser's wallet sign what can also be signed elsewhere and pasted.
"use strict";
{
  const form = document.querySelector("form[data-typed]");
  const button = form?.querySelector("button[data-ask]");
  const status = form?.querySelector("[role=status]");

  const ask = async () => {
    const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
    form.elements.signature.value = await window.ethereum.request({
      method: "eth_signTypedData_v4",
      params: [address, form.elements.typed.value],
    });
    form.requestSubmit();
  };

  if (button && window.ethereum) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.disabled = true;
      ask().catch((error) => {
        // Refused in the wallet: the signature can still be pasted.
        status.textContent = error.message;
        button.disabled = false;
      });
    });
  }
}
