import { healthContract } from '../shared/contract/operations.ts';
import { serve } from '../shared/http/serve.ts';
import { health } from '../shared/services/health.ts';

serve(healthContract, {
  GET: async (_input, call) => {
    const body = await health()(call);
    return { status: body.status === 'ok' ? 200 : 503, body };
  },
});
