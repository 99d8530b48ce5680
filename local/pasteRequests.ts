/** The three requests of the README and of the text at the start, for the shells that people use. Pure. */

export interface PasteUrls {
  functionsUrl: string;
  /** The collections host of the emulated Store. */
  storeUrl: string;
}

export type Shell = 'bash' | 'powershell';

export function pasteRequests(urls: PasteUrls, shell: Shell): string {
  return shell === 'bash' ? bashRequests(urls) : powershellRequests(urls);
}

/** How a timer runs now. It takes the master key, as in Azure. */
export function timerRequest(functionsUrl: string, timer: string, shell: Shell): string {
  const url = `${functionsUrl}/admin/functions/${timer}`;
  return shell === 'bash'
    ? `curl -sS -X POST ${url} -H "x-functions-key: $(cat .local/master-key)" -H "content-type: application/json" -d "{}"`
    : `Invoke-RestMethod -Method Post ${url} -Headers @{ 'x-functions-key' = (Get-Content .local/master-key) } -ContentType application/json -Body '{}'`;
}

function bashRequests({ functionsUrl, storeUrl }: PasteUrls): string {
  const key = '-H "x-functions-key: $(cat .local/function-key)"';
  return `# The game client's part: the Store makes the keys of a player who bought a sword.
curl -sS --cacert .local/ca.pem -X PUT ${storeUrl}/emulator/products/9NSWORD -d '{"kind":"Durable"}'
curl -sS --cacert .local/ca.pem ${storeUrl}/emulator/purchases -d '{"user":"player-1","productId":"9NSWORD"}'
KEYS=$(curl -sS --cacert .local/ca.pem ${storeUrl}/emulator/keys -d '{"user":"player-1"}')

# 1. Register the keys.
curl -sS -X PUT ${functionsUrl}/api/users/player-1/store-ids ${key} -d "$KEYS"

# 2. Ask what the player owns.
curl -sS ${functionsUrl}/api/entitlements/query ${key} -d '{"userId":"player-1","products":["9NSWORD"]}'

# 3. Ask for Game Pass.
curl -sS ${functionsUrl}/api/game-pass/query ${key} -d '{"userId":"player-1"}'
`;
}

/** For PowerShell 7, which can leave out the check of the emulators' certificate. */
function powershellRequests({ functionsUrl, storeUrl }: PasteUrls): string {
  return `# The game client's part: the Store makes the keys of a player who bought a sword.
$store = @{ SkipCertificateCheck = $true }
Invoke-RestMethod @store -Method Put ${storeUrl}/emulator/products/9NSWORD -Body '{"kind":"Durable"}'
Invoke-RestMethod @store -Method Post ${storeUrl}/emulator/purchases -Body '{"user":"player-1","productId":"9NSWORD"}'
$keys = Invoke-RestMethod @store -Method Post ${storeUrl}/emulator/keys -Body '{"user":"player-1"}' | ConvertTo-Json

# 1. Register the keys.
$key = @{ Headers = @{ 'x-functions-key' = (Get-Content .local/function-key) } }
Invoke-RestMethod @key -Method Put ${functionsUrl}/api/users/player-1/store-ids -Body $keys | ConvertTo-Json -Depth 9

# 2. Ask what the player owns.
Invoke-RestMethod @key -Method Post ${functionsUrl}/api/entitlements/query -Body '{"userId":"player-1","products":["9NSWORD"]}' | ConvertTo-Json -Depth 9

# 3. Ask for Game Pass.
Invoke-RestMethod @key -Method Post ${functionsUrl}/api/game-pass/query -Body '{"userId":"player-1"}' | ConvertTo-Json -Depth 9
`;
}
