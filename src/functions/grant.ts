import { grantContract, grantRecordContract } from '../shared/contract/grants.ts';
import { pathOf } from '../shared/contract/route.ts';
import { fulfilmentResult } from '../shared/http/fulfilmentResult.ts';
import { serve } from '../shared/http/serve.ts';
import { grant } from '../shared/services/grants.ts';

serve(grantContract, {
  POST: async ({ body }, call) => {
    const view = await grant()(call, body);
    const isFirst = view.state === 'completed' && !view.replayed;
    const { userId, orderId } = body;
    return fulfilmentResult(view, isFirst ? 201 : 200, pathOf(grantRecordContract, { userId, orderId }));
  },
});
