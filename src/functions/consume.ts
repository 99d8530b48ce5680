import { consumeContract, consumeRecordContract } from '../shared/contract/consume.ts';
import { pathOf } from '../shared/contract/route.ts';
import { fulfilmentResult } from '../shared/http/fulfilmentResult.ts';
import { serve } from '../shared/http/serve.ts';
import { consume } from '../shared/services/consume.ts';

serve(consumeContract, {
  POST: async ({ body }, call) => {
    const view = await consume()(call, body);
    const { userId, trackingId } = body;
    return fulfilmentResult(view, 200, pathOf(consumeRecordContract, { userId, trackingId }));
  },
});
