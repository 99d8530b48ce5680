import { gamePassContract } from '../shared/contract/gamePass.ts';
import { serve } from '../shared/http/serve.ts';
import { gamePass } from '../shared/services/gamePass.ts';

serve(gamePassContract, {
  POST: async ({ body }, call) => ({ body: await gamePass()(call, body) }),
});
