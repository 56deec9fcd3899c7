/** `8s`, `4m 10s`, `1h 02m`; whole minutes are `4m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds)) || 0;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  if (minutes > 0) return whole % 60 === 0 ? `${minutes}m` : `${minutes}m ${two(whole % 60)}s`;
  return `${whole}s`;
}
