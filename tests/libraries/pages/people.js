// What the address of a page tells it: whom to send to, with which key, and as how many people.
const told = new URLSearchParams(location.hash.slice(1));
const host = told.get("host");
const key = told.get("key");
const crowd = Number(told.get("crowd") ?? 0); // 0: one visitor who looks around; else only so many who ask for a demo

// {user, email} of each person of one library.
function people(name) {
  const person = (index) => ({ user: `${name}-${index}`, email: `person${index}@${name.replace("_", "-")}.example` });
  return crowd === 0 ? [person(0)] : Array.from({ length: crowd }, (_, index) => person(index + 1));
}
