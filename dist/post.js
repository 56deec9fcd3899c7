const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 19)) {
  import('./bundle.js').then(({ run }) => run('post'));
}
