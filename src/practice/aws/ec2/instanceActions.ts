import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, select } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import { freePublicIp } from './addresses.ts';
import { instanceState, stateOf, terminate } from './instanceState.ts';
import { instanceType } from './instanceTypes.ts';
import type { Instance } from './records.ts';
import { checkGroups } from './securityGroups.ts';

/** Acts on the named instances and reports each one's state before and after. */
function change(context: Context, ids: readonly string[] | undefined, act: (instance: Instance) => void) {
  return select(Object.values(context.region.instances), ids ?? [''], 'instance').map((instance) => {
    const PreviousState = stateOf(instance, context);
    act(instance);
    return { InstanceId: instance.id, PreviousState, CurrentState: stateOf(instance, context) };
  });
}

function refuse(instance: Instance, state: string): AwsError {
  return new AwsError(
    'IncorrectInstanceState',
    `The instance '${instance.id}' is not in a state from which it can be changed so: it is ${state}`,
  );
}

export const instanceActionOperations = [
  on(ec2.TerminateInstancesCommand, ({ InstanceIds, SkipOsShutdown: _, Force: _2 }, context) => ({
    TerminatingInstances: change(context, InstanceIds, (instance) => {
      if (instance.disableApiTermination) {
        throw new AwsError(
          'OperationNotPermitted',
          `The instance '${instance.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
        );
      }
      const code = 'Client.UserInitiatedShutdown';
      terminate(context, instance, { code, message: `${code}: User initiated shutdown` });
    }),
  })),

  on(ec2.StopInstancesCommand, ({ InstanceIds, Force: _, SkipOsShutdown: _2 }, context) => ({
    StoppingInstances: change(context, InstanceIds, (instance) => {
      const state = instanceState(instance, context);
      if (state === 'stopped' || state === 'stopping') return;
      if (state !== 'running') throw refuse(instance, state);
      if (instance.disableApiStop) {
        throw new AwsError(
          'OperationNotPermitted',
          `The instance '${instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
        );
      }
      instance.stoppedAt = context.clock.now();
      delete instance.publicIp;
      instance.reason = { code: 'Client.UserInitiatedShutdown', message: 'User initiated' };
    }),
  })),

  on(ec2.StartInstancesCommand, ({ InstanceIds }, context) => ({
    StartingInstances: change(context, InstanceIds, (instance) => {
      const state = instanceState(instance, context);
      if (state === 'running' || state === 'pending') return;
      if (state !== 'stopped') throw refuse(instance, state);
      delete instance.stoppedAt;
      delete instance.reason;
      instance.startedAt = context.clock.now();
      const { region, world } = context;
      const elastic = Object.values(region.addresses).some(
        (address) => address.association?.networkInterfaceId === instance.interface.id,
      );
      // AWS gives a started instance a new public address, where it had one without an Elastic IP.
      if (instance.publicOnLaunch && !elastic) instance.publicIp = freePublicIp(world, [], true);
    }),
  })),

  on(ec2.RebootInstancesCommand, ({ InstanceIds }, context) => {
    // With hosts too, a reboot changes nothing that the API shows: the practice hosts keep running.
    change(context, InstanceIds, (instance) => {
      const state = instanceState(instance, context);
      if (state !== 'running') throw refuse(instance, state);
    });
    return {};
  }),

  on(ec2.ModifyInstanceAttributeCommand, (input, context) => {
    const { region } = context;
    const instance = find(region.instances, input.InstanceId, 'instance');
    const { Attribute, Value, DisableApiTermination, DisableApiStop, SourceDestCheck, Groups } = input;
    const set = (name: string, structured: string | undefined) => (Attribute === name ? Value : structured);
    const type = set('instanceType', input.InstanceType?.Value);
    if (type !== undefined) {
      const state = instanceState(instance, context);
      if (state !== 'stopped') throw refuse(instance, state);
      instance.type = instanceType(type).name;
    }
    const behavior = set('instanceInitiatedShutdownBehavior', input.InstanceInitiatedShutdownBehavior?.Value);
    if (behavior !== undefined) {
      if (behavior !== 'stop' && behavior !== 'terminate')
        throw invalid(`Invalid value '${behavior}' for shutdown behavior`);
      instance.shutdownBehavior = behavior;
    }
    const flag = (name: string, structured: ec2.AttributeBooleanValue | undefined) =>
      Attribute === name ? Value === 'true' : structured?.Value;
    instance.disableApiTermination =
      flag('disableApiTermination', DisableApiTermination) ?? instance.disableApiTermination;
    instance.disableApiStop = flag('disableApiStop', DisableApiStop) ?? instance.disableApiStop;
    instance.sourceDestCheck = flag('sourceDestCheck', SourceDestCheck) ?? instance.sourceDestCheck;
    instance.ebsOptimized = flag('ebsOptimized', input.EbsOptimized) ?? instance.ebsOptimized;
    if (Groups?.length) {
      checkGroups(region, Groups, instance.vpcId, instance.interface.subnetId);
      instance.interface.groups = [...Groups];
    }
    return {};
  }),

  on(ec2.ModifyInstanceMetadataOptionsCommand, (input, { region }) => {
    const { id, metadata } = find(region.instances, input.InstanceId, 'instance');
    metadata.tokens = input.HttpTokens ?? metadata.tokens;
    metadata.endpoint = input.HttpEndpoint ?? metadata.endpoint;
    metadata.hopLimit = input.HttpPutResponseHopLimit ?? metadata.hopLimit;
    metadata.instanceTags = input.InstanceMetadataTags ?? metadata.instanceTags;
    return {
      InstanceId: id,
      InstanceMetadataOptions: {
        State: 'applied' as const,
        HttpTokens: metadata.tokens,
        HttpEndpoint: metadata.endpoint,
        HttpPutResponseHopLimit: metadata.hopLimit,
        InstanceMetadataTags: metadata.instanceTags,
      },
    };
  }),
];
