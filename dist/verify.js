const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 19)) {
  import('./bundle.js').then(({ run }) => run('verify'));
} else {
  console.log(
    '::error::This action needs Node 24; this runner started it with ' + process.versions.node +
    '. Update the runner (2.327.1 or newer), or, where the runner takes node from PATH, that Node.'
  );
  process.exitCode = 1;
}
