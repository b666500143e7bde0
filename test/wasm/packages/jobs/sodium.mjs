// libsodium-wrappers (Emscripten, one script with the module in it).
import sodium from 'libsodium-wrappers';

await sodium.ready;
const { to_hex: hex, from_string: bytes } = sodium;
const seed = sodium.crypto_generichash(32, bytes('seed'));
const key = sodium.crypto_generichash(32, bytes('key'));
const nonce = sodium.crypto_generichash(24, bytes('nonce'));
const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
const box = sodium.crypto_secretbox_easy('a message'.repeat(1000), nonce, key);
const results = [
  hex(publicKey),
  hex(sodium.crypto_sign_detached('text', privateKey)),
  hex(sodium.crypto_hash(box)),
  sodium.to_string(sodium.crypto_secretbox_open_easy(box, nonce, key)).length,
  hex(sodium.crypto_aead_xchacha20poly1305_ietf_encrypt('secret', 'with', null, nonce, key)),
];
try {
  box[0] ^= 1;
  sodium.crypto_secretbox_open_easy(box, nonce, key);
} catch (error) {
  results.push(error.message);
}
console.log(JSON.stringify(results));
