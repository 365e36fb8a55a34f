#include "router/rules/sop_class.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dr::rules {
namespace {

// PS3.4 B.5 and GG.3 by PS3.6 table A-1; the groups are this router's.
constexpr SopClass kTable[] = {
    {"1.2.840.10008.5.1.4.1.1.1", "ComputedRadiographyImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.1.1", "DigitalXRayImageStorageForPresentation", "xray"},
    {"1.2.840.10008.5.1.4.1.1.1.1.1", "DigitalXRayImageStorageForProcessing", "xray"},
    {"1.2.840.10008.5.1.4.1.1.1.2", "DigitalMammographyXRayImageStorageForPresentation",
     "mammography"},
    {"1.2.840.10008.5.1.4.1.1.1.2.1", "DigitalMammographyXRayImageStorageForProcessing",
     "mammography"},
    {"1.2.840.10008.5.1.4.1.1.1.3", "DigitalIntraOralXRayImageStorageForPresentation", "xray"},
    {"1.2.840.10008.5.1.4.1.1.1.3.1", "DigitalIntraOralXRayImageStorageForProcessing", "xray"},
    {"1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", "ct"},
    {"1.2.840.10008.5.1.4.1.1.2.1", "EnhancedCTImageStorage", "ct"},
    {"1.2.840.10008.5.1.4.1.1.2.2", "LegacyConvertedEnhancedCTImageStorage", "ct"},
    {"1.2.840.10008.5.1.4.1.1.3.1", "UltrasoundMultiframeImageStorage", "us"},
    {"1.2.840.10008.5.1.4.1.1.4", "MRImageStorage", "mr"},
    {"1.2.840.10008.5.1.4.1.1.4.1", "EnhancedMRImageStorage", "mr"},
    {"1.2.840.10008.5.1.4.1.1.4.2", "MRSpectroscopyStorage", "mr"},
    {"1.2.840.10008.5.1.4.1.1.4.3", "EnhancedMRColorImageStorage", "mr"},
    {"1.2.840.10008.5.1.4.1.1.4.4", "LegacyConvertedEnhancedMRImageStorage", "mr"},
    {"1.2.840.10008.5.1.4.1.1.6.1", "UltrasoundImageStorage", "us"},
    {"1.2.840.10008.5.1.4.1.1.6.2", "EnhancedUSVolumeStorage", "us"},
    {"1.2.840.10008.5.1.4.1.1.6.3", "PhotoacousticImageStorage", "us"},
    {"1.2.840.10008.5.1.4.1.1.7", "SecondaryCaptureImageStorage", "secondary-capture"},
    {"1.2.840.10008.5.1.4.1.1.7.1", "MultiframeSingleBitSecondaryCaptureImageStorage",
     "secondary-capture"},
    {"1.2.840.10008.5.1.4.1.1.7.2", "MultiframeGrayscaleByteSecondaryCaptureImageStorage",
     "secondary-capture"},
    {"1.2.840.10008.5.1.4.1.1.7.3", "MultiframeGrayscaleWordSecondaryCaptureImageStorage",
     "secondary-capture"},
    {"1.2.840.10008.5.1.4.1.1.7.4", "MultiframeTrueColorSecondaryCaptureImageStorage",
     "secondary-capture"},
    {"1.2.840.10008.5.1.4.1.1.9.1.1", "TwelveLeadECGWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.1.2", "GeneralECGWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.1.3", "AmbulatoryECGWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.1.4", "General32bitECGWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.2.1", "HemodynamicWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.3.1", "CardiacElectrophysiologyWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.4.1", "BasicVoiceAudioWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.4.2", "GeneralAudioWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.5.1", "ArterialPulseWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.6.1", "RespiratoryWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.6.2", "MultichannelRespiratoryWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.7.1", "RoutineScalpElectroencephalogramWaveformStorage",
     "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.7.2", "ElectromyogramWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.7.3", "ElectrooculogramWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.7.4", "SleepElectroencephalogramWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.9.8.1", "BodyPositionWaveformStorage", "waveform"},
    {"1.2.840.10008.5.1.4.1.1.11.1", "GrayscaleSoftcopyPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.2", "ColorSoftcopyPresentationStateStorage", "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.3", "PseudoColorSoftcopyPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.4", "BlendingSoftcopyPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.5", "XAXRFGrayscaleSoftcopyPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.6", "GrayscalePlanarMPRVolumetricPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.7", "CompositingPlanarMPRVolumetricPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.8", "AdvancedBlendingPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.9", "VolumeRenderingVolumetricPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.10", "SegmentedVolumeRenderingVolumetricPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.11", "MultipleVolumeRenderingVolumetricPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.11.12", "VariableModalityLUTSoftcopyPresentationStateStorage",
     "presentation-state"},
    {"1.2.840.10008.5.1.4.1.1.12.1", "XRayAngiographicImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.12.1.1", "EnhancedXAImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.12.2", "XRayRadiofluoroscopicImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.12.2.1", "EnhancedXRFImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.13.1.1", "XRay3DAngiographicImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.13.1.2", "XRay3DCraniofacialImageStorage", "xray"},
    {"1.2.840.10008.5.1.4.1.1.13.1.3", "BreastTomosynthesisImageStorage", "mammography"},
    {"1.2.840.10008.5.1.4.1.1.13.1.4", "BreastProjectionXRayImageStorageForPresentation",
     "mammography"},
    {"1.2.840.10008.5.1.4.1.1.13.1.5", "BreastProjectionXRayImageStorageForProcessing",
     "mammography"},
    {"1.2.840.10008.5.1.4.1.1.14.1",
     "IntravascularOpticalCoherenceTomographyImageStorageForPresentation", "intravascular-oct"},
    {"1.2.840.10008.5.1.4.1.1.14.2",
     "IntravascularOpticalCoherenceTomographyImageStorageForProcessing", "intravascular-oct"},
    {"1.2.840.10008.5.1.4.1.1.20", "NuclearMedicineImageStorage", "nm"},
    {"1.2.840.10008.5.1.4.1.1.30", "ParametricMapStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.66", "RawDataStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.66.1", "SpatialRegistrationStorage", "registration"},
    {"1.2.840.10008.5.1.4.1.1.66.2", "SpatialFiducialsStorage", "registration"},
    {"1.2.840.10008.5.1.4.1.1.66.3", "DeformableSpatialRegistrationStorage", "registration"},
    {"1.2.840.10008.5.1.4.1.1.66.4", "SegmentationStorage", "segmentation"},
    {"1.2.840.10008.5.1.4.1.1.66.5", "SurfaceSegmentationStorage", "segmentation"},
    {"1.2.840.10008.5.1.4.1.1.66.6", "TractographyResultsStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.66.7", "LabelMapSegmentationStorage", "segmentation"},
    {"1.2.840.10008.5.1.4.1.1.67", "RealWorldValueMappingStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.68.1", "SurfaceScanMeshStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.68.2", "SurfaceScanPointCloudStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.77.1.1", "VLEndoscopicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.1.1", "VideoEndoscopicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.2", "VLMicroscopicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.2.1", "VideoMicroscopicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.3", "VLSlideCoordinatesMicroscopicImageStorage",
     "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.4", "VLPhotographicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.4.1", "VideoPhotographicImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.1", "OphthalmicPhotography8BitImageStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.2", "OphthalmicPhotography16BitImageStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.3", "StereometricRelationshipStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.4", "OphthalmicTomographyImageStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.5",
     "WideFieldOphthalmicPhotographyStereographicProjectionImageStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.6", "WideFieldOphthalmicPhotography3DCoordinatesImageStorage",
     "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.7", "OphthalmicOpticalCoherenceTomographyEnFaceImageStorage",
     "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.8",
     "OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.77.1.6", "VLWholeSlideMicroscopyImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.77.1.7", "DermoscopicPhotographyImageStorage", "visible-light"},
    {"1.2.840.10008.5.1.4.1.1.78.1", "LensometryMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.2", "AutorefractionMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.3", "KeratometryMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.4", "SubjectiveRefractionMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.5", "VisualAcuityMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.6", "SpectaclePrescriptionReportStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.7", "OphthalmicAxialMeasurementsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.78.8", "IntraocularLensCalculationsStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.79.1", "MacularGridThicknessAndVolumeReportStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.80.1", "OphthalmicVisualFieldStaticPerimetryMeasurementsStorage",
     "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.81.1", "OphthalmicThicknessMapStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.82.1", "CornealTopographyMapStorage", "ophthalmology"},
    {"1.2.840.10008.5.1.4.1.1.88.11", "BasicTextSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.22", "EnhancedSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.33", "ComprehensiveSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.34", "Comprehensive3DSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.35", "ExtensibleSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.40", "ProcedureLogStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.50", "MammographyCADSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.59", "KeyObjectSelectionDocumentStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.65", "ChestCADSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.67", "XRayRadiationDoseSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.68", "RadiopharmaceuticalRadiationDoseSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.69", "ColonCADSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.70", "ImplantationPlanSRDocumentStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.71", "AcquisitionContextSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.72", "SimplifiedAdultEchoSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.73", "PatientRadiationDoseSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.74", "PlannedImagingAgentAdministrationSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.75", "PerformedImagingAgentAdministrationSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.88.76", "EnhancedXRayRadiationDoseSRStorage", "report"},
    {"1.2.840.10008.5.1.4.1.1.90.1", "ContentAssessmentResultsStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.91.1", "MicroscopyBulkSimpleAnnotationsStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.104.1", "EncapsulatedPDFStorage", "document"},
    {"1.2.840.10008.5.1.4.1.1.104.2", "EncapsulatedCDAStorage", "document"},
    {"1.2.840.10008.5.1.4.1.1.104.3", "EncapsulatedSTLStorage", "document"},
    {"1.2.840.10008.5.1.4.1.1.104.4", "EncapsulatedOBJStorage", "document"},
    {"1.2.840.10008.5.1.4.1.1.104.5", "EncapsulatedMTLStorage", "document"},
    {"1.2.840.10008.5.1.4.1.1.128", "PositronEmissionTomographyImageStorage", "pet"},
    {"1.2.840.10008.5.1.4.1.1.128.1", "LegacyConvertedEnhancedPETImageStorage", "pet"},
    {"1.2.840.10008.5.1.4.1.1.130", "EnhancedPETImageStorage", "pet"},
    {"1.2.840.10008.5.1.4.1.1.131", "BasicStructuredDisplayStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.200.1", "CTDefinedProcedureProtocolStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.200.2", "CTPerformedProcedureProtocolStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.200.3", "ProtocolApprovalStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.200.7", "XADefinedProcedureProtocolStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.200.8", "XAPerformedProcedureProtocolStorage", "other"},
    {"1.2.840.10008.5.1.4.1.1.481.1", "RTImageStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.2", "RTDoseStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.3", "RTStructureSetStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.4", "RTBeamsTreatmentRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.5", "RTPlanStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.6", "RTBrachyTreatmentRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.7", "RTTreatmentSummaryRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.8", "RTIonPlanStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.9", "RTIonBeamsTreatmentRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.10", "RTPhysicianIntentStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.11", "RTSegmentAnnotationStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.12", "RTRadiationSetStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.13", "CArmPhotonElectronRadiationStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.14", "TomotherapeuticRadiationStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.15", "RoboticArmRadiationStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.16", "RTRadiationRecordSetStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.17", "RTRadiationSalvageRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.18", "TomotherapeuticRadiationRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.19", "CArmPhotonElectronRadiationRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.20", "RoboticRadiationRecordStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.21", "RTRadiationSetDeliveryInstructionStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.22", "RTTreatmentPreparationStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.23", "EnhancedRTImageStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.24", "EnhancedContinuousRTImageStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.481.25", "RTPatientPositionAcquisitionInstructionStorage",
     "radiotherapy"},
    {"1.2.840.10008.5.1.4.34.7", "RTBeamsDeliveryInstructionStorage", "radiotherapy"},
    {"1.2.840.10008.5.1.4.34.10", "RTBrachyApplicationSetupDeliveryInstructionStorage",
     "radiotherapy"},
    {"1.2.840.10008.5.1.4.38.1", "HangingProtocolStorage", "other"},
    {"1.2.840.10008.5.1.4.39.1", "ColorPaletteStorage", "other"},
    {"1.2.840.10008.5.1.4.43.1", "GenericImplantTemplateStorage", "other"},
    {"1.2.840.10008.5.1.4.44.1", "ImplantAssemblyTemplateStorage", "other"},
    {"1.2.840.10008.5.1.4.45.1", "ImplantTemplateGroupStorage", "other"},
};

/// "CT Image Storage", "CTImageStorage" and "X-Ray ..." alike.
std::string squeezed(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != ' ' && c != '-') out += c;
  }
  return out;
}

/// Other words for groups of the table.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"structured-reports", "report"},
    {"reports", "report"},
    {"documents", "document"},
    {"presentation-states", "presentation-state"},
    {"ultrasound", "us"},
    {"nuclear-medicine", "nm"},
    {"waveforms", "waveform"},
    {"segmentations", "segmentation"},
    {"registrations", "registration"}};

constexpr std::string_view kImages = "images";

/// By its name; one is a picture without being called so.
bool is_image(const SopClass& sop_class) {
  return sop_class.name.find("Image") != std::string_view::npos ||
         sop_class.name == "EnhancedUSVolumeStorage";
}

}  // namespace

bool is_in_group(const SopClass& sop_class, std::string_view group) {
  std::string name(group);
  std::ranges::replace(name, ' ', '-');
  if (name == kImages) return is_image(sop_class);
  const auto* const other =
      std::ranges::find(kOtherWords, name, &std::pair<std::string_view, std::string_view>::first);
  return sop_class.group == (other == std::end(kOtherWords) ? name : other->second);
}

std::vector<std::string_view> sop_class_groups() {
  std::vector<std::string_view> names{kImages};
  for (const SopClass& each : kTable) names.push_back(each.group);
  for (const auto& [word, group] : kOtherWords) names.push_back(word);
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::span<const SopClass> sop_classes() noexcept { return kTable; }

const SopClass* find_sop_class(std::string_view name) {
  const auto* const row = std::ranges::find(kTable, squeezed(name), &SopClass::name);
  return row == std::end(kTable) ? nullptr : row;
}

}  // namespace dr::rules
