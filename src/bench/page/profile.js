// What a block is, for pointers, fingers and the keyboard alike.
(function () {
  "use strict";
  document.querySelectorAll(".flame").forEach(function (flame) {
    var told = flame.parentElement.querySelector(".told"), before = told.textContent;
    var tell = function (event) { var block = event.target.closest("button"); told.textContent = block ? block.title : before; };
    flame.addEventListener("pointerover", tell);
    flame.addEventListener("focusin", tell);
    flame.addEventListener("click", tell);
    flame.addEventListener("pointerleave", function () { told.textContent = before; });
  });
})();
